"""Regular expressions that Envoy's RE2 takes, where it has no words for what is meant."""

from __future__ import annotations

import re
from collections.abc import Collection


def other_than(words: Collection[str]) -> str:
    """A pattern for every text but these: RE2 looks neither ahead nor back."""
    rests: dict[str, list[str]] = {}
    for word in words:
        if word:
            rests.setdefault(word[0], []).append(word[1:])
    if not rests:
        return ".+" if "" in words else ".*"
    firsts = "".join(map(re.escape, sorted(rests)))
    ways = (re.escape(first) + other_than(rest) for first, rest in sorted(rests.items()))
    pattern = f"(?:[^{firsts}].*|{'|'.join(ways)})"
    return pattern if "" in words else f"{pattern}?"


def greater_than(number: int) -> str:
    """A pattern for whole numbers beyond ``number``, which is not negative, without leading
    zeros."""
    digits = str(number)
    more = [f"[1-9][0-9]{{{len(digits)},}}"]
    for at, digit in enumerate(digits):
        if digit != "9":
            left = len(digits) - at - 1
            more.append(f"{digits[:at]}[{int(digit) + 1}-9][0-9]{{{left}}}")
    return "|".join(more)
