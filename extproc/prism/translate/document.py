"""JSON in and out: read exactly, written anew without spaces.

The standard library's reader keeps integers of any size. What JSON can't hold (NaN, a number
beyond a double) is refused rather than written as something that is no JSON.
"""

from __future__ import annotations

import json
import math
from typing import Any

from prism.translate.untranslatable import Untranslatable


def load(text: bytes | str, path: str = "") -> Any:
    """The value that JSON text holds.

    Raises:
        Untranslatable: it is no JSON.
    """
    try:
        return json.loads(text, parse_float=_float, parse_constant=_constant)
    except RecursionError:
        raise Untranslatable(path, "The JSON is nested too deeply.") from None
    except ValueError as problem:
        raise Untranslatable(path, f"This is not valid JSON: {problem}.") from None


def dump(value: Any) -> bytes:
    """JSON text of ``value`` in UTF-8; half a surrogate pair stays an escape."""
    try:
        return _written(value, ensure_ascii=False)
    except UnicodeEncodeError:
        return _written(value, ensure_ascii=True)
    except RecursionError:
        raise Untranslatable("", "The JSON is nested too deeply.") from None


def _written(value: Any, *, ensure_ascii: bool) -> bytes:
    text = json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"), allow_nan=False)
    return text.encode()


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
