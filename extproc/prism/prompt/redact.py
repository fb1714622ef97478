"""Takes out of a text what looks like a key, an address of mail, or a long number.

It is a net with known meshes: names, streets and whatever else is said in plain words stay.
``docs/ledger.md`` lists what is taken out.
"""

from __future__ import annotations

import re
from typing import Final

KEY, MAIL, NUMBER = "[key]", "[email]", "[number]"
_PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----[^-]*(?:-----END [A-Z0-9 ]{1,40}-----)?")
_IN_URL: Final = re.compile(r"(://)[^\s/@:]{1,200}:[^\s/@]{1,200}@")
_NAMED: Final = re.compile(
    r"(?i)\b(bearer|basic|api[_-]?key|secret|token|password|passwd|pwd|authorization)"
    r"(\"?\s*[:=]\s*\"?|\s+)(?=[^\s\"',;]{0,200}[\d._\-+/=])[^\s\"',;]{6,}"
)
_PREFIXED: Final = re.compile(
    r"\b(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[abprs]|hf|AKIA|ASIA|AIza|eyJ)"
    r"[A-Za-z0-9_\-.]{8,}"
)
_LONG: Final = re.compile(r"(?<![A-Za-z0-9+/_=\-])[A-Za-z0-9+/_=\-]{24,}")
_MAIL: Final = re.compile(r"[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8}")
_NUMBER: Final = re.compile(r"\+?\(?\d(?:[ ().\-/]{0,2}\d){3,}")


def redact(text: str) -> str:
    """The text with the words above in their places."""
    text = _PEM.sub(KEY, text)
    text = _IN_URL.sub(rf"\1{KEY}@", text)
    text = _MAIL.sub(MAIL, text)
    text = _NAMED.sub(rf"\1\2{KEY}", text)
    text = _PREFIXED.sub(KEY, text)
    text = _LONG.sub(_unless_words, text)
    return _NUMBER.sub(NUMBER, text)


def _unless_words(found: re.Match[str]) -> str:
    """A long run with digits and letters is a key; one of letters alone is a word."""
    run = found[0]
    mixed = any(map(str.isdigit, run)) and any(map(str.isalpha, run))
    return KEY if mixed else run
