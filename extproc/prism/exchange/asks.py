"""What a client asks for beside its prompt: mode, pin, limits, from headers and kwargs.

A header beats its kwarg twin, as the design's client contract has it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from prism.exchange import headers as names
from prism.prompt.chat import MODEL_CHARS, Kwargs, mode_named
from prism.prompt.document import BadBody
from prism.routing.bounds import Limits
from prism.routing.catalog import MODES, Mode

CONVERSATION_CHARS = 256
"""A longer id of a conversation than this is refused."""
_NO_LIMITS = Limits()
# ASCII digits: Python would also take "1_000", "infinity" and digits of other scripts.
_NUMBER = re.compile(r"\s*-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asks:
    """The caller's own wishes; ``None`` where it has none."""

    mode: Mode | None
    pin: str | None
    limits: Limits
    conversation: str | None = None


_NOTHING = Asks(None, None, _NO_LIMITS)
_NO_KWARGS = Kwargs()


def asks_of(headers: Mapping[str, str], kwargs: Kwargs | None) -> Asks:
    """Read the wishes; raises ``BadBody`` with the name of the one that can't be read."""
    if kwargs is None:
        if headers.keys().isdisjoint(names.REQUEST):
            return _NOTHING
        kwargs = _NO_KWARGS
    mode = _mode(headers, kwargs)
    pin = _pin(headers, kwargs)
    limits = Limits(
        max_cost=_limit(headers, names.MAX_COST, kwargs.max_cost, "US dollars, above 0"),
        min_quality=_limit(headers, names.MIN_QUALITY, kwargs.min_quality, "0 to 1", 1.0),
        max_latency_ms=_limit(
            headers, names.MAX_LATENCY_MS, kwargs.max_latency_ms, "milliseconds, above 0"
        ),
    )
    limits = _NO_LIMITS if limits == _NO_LIMITS else limits
    return Asks(mode, pin, limits, _conversation(headers, kwargs))


def _mode(headers: Mapping[str, str], kwargs: Kwargs) -> Mode | None:
    name, param = headers.get(names.MODE), "X-Prism-Mode"
    if name is None:
        name, param = kwargs.mode, "prism.mode"
    if name is None:
        return None
    mode = mode_named(name)
    if mode is None:
        known = ", ".join(MODES)
        raise BadBody("unknown_mode", f"{param}: no mode {name[:40]!r}; use {known}.", param)
    return mode


def _pin(headers: Mapping[str, str], kwargs: Kwargs) -> str | None:
    name, param = headers.get(names.MODEL_PREFER), "X-Prism-Model-Prefer"
    if name is None:
        name, param = kwargs.model_prefer, "prism.model_prefer"
    if name is not None and len(name) > MODEL_CHARS:
        message = f"{param}: no model has a name longer than {MODEL_CHARS} characters."
        raise BadBody("invalid_model", message, param)
    return name or None


def _conversation(headers: Mapping[str, str], kwargs: Kwargs) -> str | None:
    name, param = headers.get(names.CONVERSATION), "X-Prism-Conversation"
    if name is None:
        name, param = kwargs.conversation, "prism.conversation"
    if name is not None and len(name) > CONVERSATION_CHARS:
        message = f"{param}: longer than {CONVERSATION_CHARS} characters."
        raise BadBody("invalid_conversation", message, param)
    return name or None


def _limit(
    headers: Mapping[str, str],
    header: str,
    kwarg: float | None,
    unit: str,
    most: float = math.inf,
) -> float | None:
    text = headers.get(header)
    if text is None and kwarg is None:
        return None
    param = header if text is not None else "prism." + header[len("x-prism-") :].replace("-", "_")
    if text is None:
        value = float(kwarg or 0)
    else:
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
    least_ok = value >= 0 if most == 1.0 else value > 0
    if not (least_ok and value <= most and math.isfinite(value)):
        given = text[:40] if text is not None else kwarg
        raise BadBody("invalid_limit", f"{param}: {given!r} is not a number ({unit}).", param)
    return value
