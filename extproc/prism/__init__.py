"""Prism Router: an LLM router that runs inside an Envoy gateway.

Layers, each importing only from those to its right (import-linter holds it)::

    cli > serve > wire > envoy > exchange > prompt > routing

``resources`` turns YAML documents into ``routing`` values; ``providers`` holds the
simulated providers of the demo and the tests.
"""

__version__ = "0.1.0"
