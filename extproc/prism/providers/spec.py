"""What a simulated provider is: its name, its key, its models and how quick they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelTiming:
    """How quickly a model answers: milliseconds to the first token, then tokens a second.

    Zero is as fast as possible, for either. ``jitter`` is the sigma of a lognormal factor
    (median 1) that each request's times are multiplied with: 0 gives the same times always,
    0.5 a tail that looks like a busy provider's.
    """

    time_to_first_token_ms: float = 0.0
    tokens_per_second: float = 0.0
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """One provider.

    ``api_key``: what requests must carry; ``None`` takes any key or none. ``models``: the
    models it knows by upstream name; ``None`` answers for any name with ``timing``.
    ``answer_tokens``: about how long an answer is where the request does not bound it lower.
    ``base_path``: where the API lies below the provider's root.
    """

    name: str
    api_key: str | None = None
    models: Mapping[str, ModelTiming] | None = None
    timing: ModelTiming = ModelTiming()
    answer_tokens: int = 20
    base_path: str = "/v1"

    def knows(self, model: str) -> bool:
        """Whether a request for ``model`` is answered."""
        return self.models is None or model in self.models

    def timing_of(self, model: str) -> ModelTiming:
        """How quick ``model`` is."""
        return self.timing if self.models is None else self.models.get(model, self.timing)
