"""Which short turns are read with the turn before them."""

from __future__ import annotations

import pytest

from prism.prompt.turns import leans_on_before


@pytest.mark.parametrize(
    "turn",
    [
        "", "yes", "why?", "continue", "and in Rust?", "now with tests please", "make it shorter",
        "translate that to French", "what about the second one?", "without the last line please",
        "¿y en español?", "hazlo más corto, eso es largo", "und jetzt auf Deutsch bitte",
        "继续", "翻译成英文", "它为什么会这样运行呢？", "もっと短く", "а теперь на русском языке",
    ],
)  # fmt: skip
def test_leans(turn: str) -> None:
    assert leans_on_before(turn)


@pytest.mark.parametrize(
    "turn",
    [
        "what is 15% of 80?",
        "write a haiku about rain",
        "prove there are infinite primes",
        "who painted the Mona Lisa?",
        "¿qué hora es en Tokio?",
        "Wie hoch ist der Brocken?",
        "写一首关于春天的五言绝句",
        # Long enough to say what it wants, whatever it begins with.
        "and write a script that renames all files in a folder by date",
    ],
)
def test_stands_alone(turn: str) -> None:
    assert not leans_on_before(turn)
