"""What became of each attempt of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple


class Result(StrEnum):
    """How an attempt ended."""

    ANSWERED = "answered"
    """Its answer went to the client, whatever it was."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    """It raced, and another one won."""


class Attempt(NamedTuple):
    """One attempt. ``status`` is HTTP's, ``None`` where no answer came; ``reason`` is why the
    gateway gave it up, where it did. It began ``began_ms`` after the request came in and took
    ``took_ms``, both milliseconds, ``None`` where that is not known."""

    model: str
    provider: str
    result: Result
    status: int | None = None
    reason: str | None = None
    began_ms: float | None = None
    took_ms: float | None = None

    def to_json_dict(self) -> dict[str, Any]:
        """What is known, ready for ``json.dumps``."""
        known = zip(_KEYS, self, strict=True)
        return {key: value for key, value in known if value is not None}

    @classmethod
    def from_json_dict(cls, data: Mapping[str, Any]) -> Attempt:
        """The attempt that ``to_json_dict`` was called on."""
        model, provider, result, *others = (data.get(key) for key in _KEYS)
        return cls(model or "", provider or "", Result(result or ""), *others)


_KEYS = ("model", "provider", "result", "status", "reason", "beganMs", "tookMs")


def attempts_of(
    models: Sequence[str],
    raced: bool,
    started: int,
    failed: Sequence[Attempt],
    answered: Attempt | None,
) -> tuple[Attempt, ...]:
    """Every attempt that is known of, in the order of their beginnings.

    ``models`` are those of the decision, of which the first ``started`` began; ``failed`` are in
    order. In a race, who neither failed nor answered was cancelled.
    """
    if not raced:
        return (*failed, *(() if answered is None else (answered,)))
    found = {one.model: one for one in failed}
    if answered is not None:
        found[answered.model] = answered
    gone = [found.get(name, Attempt(name, "", Result.CANCELLED)) for name in models[:started]]
    return tuple(gone)


def in_words(one: Attempt) -> str:
    """An attempt as one line, for people and for telemetry."""
    where = f"{one.model} ({one.provider})" if one.provider else one.model
    said = [str(one.status)] if one.status is not None else []
    said += [one.reason] if one.reason is not None else []
    what = f"{where}: {one.result}"
    if said:
        what += f", {', '.join(said)}"
    if one.took_ms is not None:
        what += f", after {duration(one.took_ms)}"
    return what


def duration(ms: float) -> str:
    """Milliseconds as people read them."""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
