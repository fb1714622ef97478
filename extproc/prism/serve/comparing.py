"""The decisions of tables that did not decide, made once their requests were answered."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from prism.exchange.route import RouteStage
from prism.exchange.routed import Routed
from prism.routing.other import Other
from prism.routing.sticking import Held, chosen_in
from prism.serve.conversations import Conversations

log = logging.getLogger(__name__)


class Comparing:
    """What each conversation would be on had the other table decided all of it: so the two are
    compared turn by turn, and not a table with a model that only the other one chose. ``clock``
    gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._conversations = Conversations(clock)
        self._failed = False

    def held(self, conversation: str) -> Held | None:
        """The model that a conversation would be on, ``None`` where that is not known."""
        return self._conversations.held(conversation)

    def other(self, stage: RouteStage, routed: Routed) -> Other | None:
        """The other decision; ``None`` where it fails, which costs no record."""
        try:
            other = stage.other()
        except Exception as error:  # nothing that is only compared may do harm
            self._say(error)
            return None
        if other is not None and not stage.dry_run:
            self._remember(routed, other)
        return other

    def _remember(self, routed: Routed, other: Other) -> None:
        signals, models = routed.signals, other.decision.models
        if signals.conversation is None or not models:
            return
        tools = signals.tools_at_work
        mode = chosen_in(other.held, models[0], other.decision.mode, tools_at_work=tools)
        self._conversations.remember(signals.conversation, models[0], mode)

    def _say(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            # The message of an error could hold a prompt: say only what and where.
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = type(error).__name__
            log.error("a candidate can't be compared: %s at %s:%s", kind, *where[:2])
