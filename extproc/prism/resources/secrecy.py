"""Values that look like a secret where a name belongs, and the hash of API keys."""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise

# How the keys of well-known providers begin.
_KNOWN = re.compile(r"(sk-|pk-|rk-|gsk_|xai-|hf_|pplx-|r8_|nvapi-|AIza|ya29\.|eyJ)")
_LONG = 24
"""Random text of this length or more is a key; names of this length have words in them."""


def looks_like_secret(value: str) -> bool:
    """Whether a value that should be the name of a key is more likely the key itself."""
    if _KNOWN.match(value):
        return len(value) >= 12
    if len(value) < _LONG:
        return False
    # A name is made of words: letters of one case, digits only at the end of a word.
    words = re.split(r"[._-]", value)
    return any(_is_random(word) for word in words)


def _is_random(word: str) -> bool:
    if len(word) < 16:
        return False
    switches = sum(_sort(a) != _sort(b) for a, b in pairwise(word))
    return switches >= len(word) / 4


def _sort(character: str) -> str:
    if character.isdigit():
        return "digit"
    return "upper" if character.isupper() else "lower"


def key_hash(key: str) -> str:
    """What a ProjectPolicy holds of an API key: SHA-256 of its UTF-8 bytes, lower-case hex."""
    return hashlib.sha256(key.encode()).hexdigest()
