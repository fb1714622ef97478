"""OpenAI's usage export: pages of buckets, sums of requests without prompts.

Source: OpenAI's API reference, "Usage", ``GET /v1/organization/usage/completions``.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from prism.savings.usage import MOST_TOKENS, BadLine, LeftOut, Tokens, Usage, model_name

_COMPLETIONS = "organization.usage.completions.result"
_COSTS = "organization.costs.result"
BATCH = "batches, which pass no gateway"


class Result(msgspec.Struct, gc=False):
    """What one bucket has of one group; ``input_tokens`` have the cached ones and those written
    to a cache in them."""

    object: str = _COMPLETIONS
    input_tokens: int = 0
    output_tokens: int = 0
    input_cached_tokens: int | None = None
    input_cache_write_tokens: int | None = None
    num_model_requests: int = 0
    model: str | None = None
    batch: bool | None = None


class Bucket(msgspec.Struct, gc=False):
    """A span of time; older answers call its results ``result``."""

    results: list[Result] | None = None
    result: list[Result] | None = None


class Export(msgspec.Struct, gc=False):
    """A page of buckets, or one bucket by itself."""

    data: list[Bucket] | None = None
    results: list[Result] | None = None
    result: list[Result] | None = None


def usages_of(export: Export) -> Iterator[Usage | LeftOut]:
    """Every result as a usage. Raises ``BadLine``."""
    buckets = export.data if export.data is not None else [Bucket(export.results, export.result)]
    for bucket in buckets:
        for result in bucket.results or bucket.result or ():
            yield _usage(result)


def _usage(result: Result) -> Usage | LeftOut:
    cached, written = result.input_cached_tokens or 0, result.input_cache_write_tokens or 0
    for name in ("input_tokens", "output_tokens", "num_model_requests"):
        if not 0 <= getattr(result, name) <= MOST_TOKENS:
            raise BadLine(f"usage export: {name} is no count")
    if min(cached, written) < 0 or cached + written > result.input_tokens:
        raise BadLine("usage export: more cached tokens than tokens of input")
    if result.object == _COSTS:
        return LeftOut("costs without tokens: export the usage of completions")
    if result.object != _COMPLETIONS:
        return LeftOut("no chat (embeddings and the like)")
    if result.batch:
        return LeftOut(BATCH)
    if not result.num_model_requests:
        return LeftOut("no requests in a bucket of the export")
    if result.model is None:
        raise BadLine("usage export: not grouped by model; ask for group_by=model")
    tokens = Tokens(result.input_tokens, result.output_tokens, cached, written)
    return Usage(model_name(result.model), tokens, requests=result.num_model_requests)
