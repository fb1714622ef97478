"""Simulated providers: what the demo, the tests and the benchmarks send requests to.

One server plays any number of providers that speak OpenAI's API (and Anthropic's Messages),
with answers that depend on the request alone, with a model's pace, and with faults that are
switched on and off while it runs. Each API's module (``chat``, ``responses``, ``embeddings``,
...) turns a body into an ``Ask`` and an ``Answer`` into bytes, without I/O; ``service`` and
``send`` do the rest. Of the product it knows nothing, so that it can judge it.
"""

from prism.providers.fault import Fault, FaultKind
from prism.providers.received import ReceivedRequest
from prism.providers.simulated import SimulatedProviders
from prism.providers.spec import ModelTiming, ProviderSpec
from prism.providers.table import specs_from_table

__all__ = [
    "Fault",
    "FaultKind",
    "ModelTiming",
    "ProviderSpec",
    "ReceivedRequest",
    "SimulatedProviders",
    "specs_from_table",
]
