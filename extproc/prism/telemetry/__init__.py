"""What is told to the outside about requests: spans and metrics, made of records and outcomes.

Everything here happens after a request is over, from what the access log says. ``settings``
reads the environment, ``spans`` and ``metrics`` are values only, ``sending`` talks to the
collector on a thread of its own.
"""
