"""Step 4's question: does the request ask for one model, and may it?"""

from __future__ import annotations

import difflib

from prism.routing.decision import ErrorCode, Refusal
from prism.routing.plan import Scope
from prism.routing.signals import Signals

_SHOWN = 100
"""Characters of a model name from a client that an error message repeats."""


def asked_model(scope: Scope, signals: Signals) -> str | Refusal | None:
    """The model of the table that the request asks for, a refusal, or ``None``: choose.

    A pin (header or kwarg) is the more explicit wish and hides the body's ``model``; an
    auto name asks for nothing, as a pin too. Whether the wish may be granted depends on
    nothing that the classifier says, so that one client's request is not refused for one
    prompt and accepted for the next.
    """
    name = signals.model if signals.pin is None else signals.pin
    if name in scope.table.auto_names:
        return None
    policy = scope.policy
    pins_allowed = policy is None or policy.allow_pins
    if name not in scope.table.models and (pins_allowed or signals.pin is None):
        return _not_found(scope, name, pins_allowed)
    if policy is not None and not policy.allow_pins:
        return _pin_not_allowed(scope, policy.name)
    if (ruled_out := scope.ruled_out.get(name)) is not None:
        message = f"The model {name!r} may not be used here: {ruled_out.text}."
        return Refusal(403, ErrorCode.MODEL_NOT_ALLOWED, message)
    return name


def _pin_not_allowed(scope: Scope, policy: str) -> Refusal:
    message = (
        f"Policy {policy} does not let a request choose its model: "
        f"send {_auto(scope)} as 'model' and no X-Prism-Model-Prefer."
    )
    return Refusal(403, ErrorCode.PIN_NOT_ALLOWED, message)


def _not_found(scope: Scope, name: str, pins_allowed: bool) -> Refusal:
    """Names only what the caller may use, so an error tells nothing about the rest."""
    shown = name[:_SHOWN]
    visible = list(scope.models) if pins_allowed else []
    close = difflib.get_close_matches(shown, [*visible, *scope.table.auto_names], n=1)
    parts = [f"The model {shown!r} does not exist."]
    if close:
        parts.append(f"Did you mean {close[0]!r}?")
    if visible:
        parts.append(f"Send {_auto(scope)} to have one chosen, or one of: {', '.join(visible)}.")
    else:
        parts.append(f"Send {_auto(scope)} to have one chosen.")
    return Refusal(404, ErrorCode.MODEL_NOT_FOUND, " ".join(parts))


def _auto(scope: Scope) -> str:
    """The auto name to advise; ``auto`` where the table has it, as every client knows it."""
    names = scope.table.auto_names
    return repr("auto" if "auto" in names or not names else min(names))
