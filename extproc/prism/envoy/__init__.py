"""Envoy's configuration, from what Prism knows. No I/O.

``bootstrap`` is what Envoy starts with: the listeners never change while it runs.
``dynamic`` is what it gets over ADS: a cluster per model, and the route table that says
what happens while Prism is away. How a request travels is in ``docs/architecture.md``.
"""
