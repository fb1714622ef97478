"""The decision engine: pure values and functions, standard library only.

The server, the operator and the CLI all decide with this package. It never imports
grpc, asyncio, kopf, time or random: time, health and randomness are inputs.
"""
