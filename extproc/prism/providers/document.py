"""Reading the JSON of a request, and refusing what is not right."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from prism.providers.ask import Refusal

Body = TypeVar("Body", bound=msgspec.Struct)


def read(decoder: msgspec.json.Decoder[Body], body: bytes) -> Body:
    """The request that ``body`` says.

    Raises:
        Refusal: 400, in OpenAI's words, where it is no JSON or has a wrong type somewhere.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as problem:
        _, _, path = str(problem).partition(" - at `$")
        param = path.strip("`.") or None
        raise Refusal(400, f"Invalid type or value: {problem}", "invalid_type", param) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        said = "We could not parse the JSON body of your request."
        raise Refusal(400, f"{said} ({problem})") from None
