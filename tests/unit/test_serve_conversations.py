"""What a replica remembers of conversations."""

from __future__ import annotations

import pytest

from prism.routing.catalog import Mode
from prism.routing.sticking import Held, chosen_in
from prism.serve.conversations import Conversations

from .clock import Clock
from .tables import ECO, SPORT


def test_the_newest_model_and_its_age() -> None:
    clock = Clock()
    talks = Conversations(clock)
    assert talks.held("a") is None
    talks.remember("a", "tiny", ECO)
    clock.seconds += 30
    assert talks.held("a") == Held("tiny", ECO, 30.0)
    talks.remember("a", "huge", SPORT)
    clock.seconds += 1.5
    assert talks.held("a") == Held("huge", SPORT, 1.5)


def test_those_that_were_silent_longest_are_forgotten() -> None:
    talks = Conversations(Clock(), most=3)
    for name in "abc":
        talks.remember(name, "tiny", ECO)
    talks.remember("a", "small", ECO)
    talks.remember("d", "tiny", ECO)
    assert len(talks) == 3
    assert talks.held("b") is None
    assert talks.held("a") is not None


@pytest.mark.parametrize(
    ("held", "tools", "mode"),
    [
        (Held("huge", SPORT, 1.0), True, SPORT),
        (Held("huge", SPORT, 1.0), False, ECO),
        (Held("tiny", SPORT, 1.0), True, ECO),
        (None, True, ECO),
    ],
)
def test_a_model_that_tools_keep_was_chosen_in_its_old_mode(
    held: Held | None, tools: bool, mode: Mode
) -> None:
    assert chosen_in(held, "huge", ECO, tools_at_work=tools) is mode
