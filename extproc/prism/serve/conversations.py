"""Which model each conversation was on last, as this replica knows.

A conversation is known here by its hash only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from prism.routing.catalog import Mode
from prism.routing.decision import Decision
from prism.routing.signals import Signals
from prism.routing.sticking import Held, chosen_in

MOST = 50_000
"""Conversations that are remembered; beyond that, those that were silent longest are forgotten."""


class Turn(Protocol):
    """A request of a conversation and its decision."""

    @property
    def signals(self) -> Signals:
        """What was asked."""

    @property
    def decision(self) -> Decision:
        """What was decided."""

    @property
    def held(self) -> Held | None:
        """What was remembered then."""


class Conversations:
    """The newest conversations. ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float], most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._known: OrderedDict[str, tuple[str, Mode, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def held(self, conversation: str) -> Held | None:
        """The model that a conversation is on, ``None`` where it is not known."""
        known = self._known.get(conversation)
        if known is None:
            return None
        model, mode, at = known
        return Held(model, mode, self._clock() - at)

    def answered(self, turn: Turn, model: str) -> None:
        """``model`` answers a turn, or has answered it."""
        signals = turn.signals
        if signals.conversation is None:
            return
        mode, tools = turn.decision.mode, signals.tools_at_work
        chosen = chosen_in(turn.held, model, mode, tools_at_work=tools)
        self.remember(signals.conversation, model, chosen)

    def remember(self, conversation: str, model: str, mode: Mode) -> None:
        """A conversation is on ``model``, which was chosen in ``mode``."""
        known = self._known
        known[conversation] = model, mode, self._clock()
        known.move_to_end(conversation)
        if len(known) > self._most:
            known.popitem(last=False)
