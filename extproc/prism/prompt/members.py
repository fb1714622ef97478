"""Single members of a body: decoded strictly, with errors that name the place."""

from __future__ import annotations

from typing import Any

import msgspec

from prism.prompt.document import BadBody, Document

# No model answers at such length; larger numbers are no token counts but mistakes.
MOST_TOKENS = 2**31 - 1
_TOKENS = msgspec.json.Decoder(int | None)


def member(document: Document, name: str, decoder: msgspec.json.Decoder[Any]) -> Any:
    """The decoded value of a member, ``None`` where there is none. Raises ``BadBody``."""
    encoded = document.value(name)
    return None if encoded is None else decode(encoded, name, decoder)


def decode(encoded: bytes | msgspec.Raw, name: str, decoder: msgspec.json.Decoder[Any]) -> Any:
    """Decode the value of member ``name``. Raises ``BadBody``."""
    try:
        return decoder.decode(encoded)
    except msgspec.ValidationError as error:
        # msgspec writes "Expected `str`, got `int` - at `$[0].role`".
        what, _, where = str(error).partition(" - at ")
        place = name + where.strip("`").removeprefix("$")
        raise BadBody("invalid_type", f"{place}: {what}.", name) from None
    except RecursionError:
        raise BadBody("too_deep", f"{name!r} is nested too deeply.", name) from None
    except msgspec.DecodeError as error:
        raise BadBody("invalid_json", f"{name!r} is not valid JSON: {error}.", name) from None


def ceiling(document: Document, *names: str, least: int = 1) -> int | None:
    """The caller's ceiling of output tokens; the first of ``names`` that is there counts."""
    for name in names:
        limit: int | None = member(document, name, _TOKENS)
        if limit is None:
            continue
        if not least <= limit <= MOST_TOKENS:
            what = f"must be {least} to {MOST_TOKENS}"
            raise BadBody("invalid_max_tokens", f"'{name}' {what}.", name)
        return limit
    return None


def utf8_length(text: str) -> int:
    """Bytes of a text."""
    return len(text) if text.isascii() else len(text.encode())
