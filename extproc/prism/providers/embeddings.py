"""Embeddings: ``POST /embeddings``; a unit vector made from the text's hash."""

from __future__ import annotations

import base64
import hashlib
import math
from array import array
from typing import Annotated, Any, Literal

import msgspec

from prism.providers.answer import Reply
from prism.providers.ask import Refusal
from prism.providers.document import read
from prism.providers.spec import ProviderSpec


class _Request(msgspec.Struct):
    model: str
    input: str | list[Any]
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=8192)] = 1536
    encoding_format: Literal["float", "base64"] = "float"


_decoder = msgspec.json.Decoder(_Request)


def reply(body: bytes, spec: ProviderSpec) -> Reply:
    """What the provider says to a request.

    Raises:
        Refusal: the request is wrong.
    """
    request = read(_decoder, body)
    inputs = _inputs(request.input)

    def plain() -> dict[str, Any]:
        vectors = [_vector(request, each) for each in inputs]
        tokens = sum(len(each) if isinstance(each, list) else -(-len(each) // 4) for each in inputs)
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(vectors)
            ],
            "model": request.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    return Reply(request.model, 0, False, plain, tuple)


def _inputs(given: str | list[Any]) -> list[str | list[Any]]:
    """The texts, or lists of tokens, to embed."""
    if isinstance(given, str):
        return [given]
    if given and all(isinstance(each, int) for each in given):
        return [given]
    if not given or not all(isinstance(each, str | list) for each in given):
        raise Refusal(400, "'$.input' is invalid.", None, "input")
    return given


def _vector(request: _Request, given: str | list[Any]) -> list[float] | str:
    text = given if isinstance(given, str) else repr(given)
    digest = hashlib.shake_256(f"{request.model}\n{text}".encode()).digest(2 * request.dimensions)
    raw = array("h", digest)
    length = math.sqrt(sum(each * each for each in raw)) or 1.0
    vector = array("f", (each / length for each in raw))
    if request.encoding_format == "base64":
        return base64.b64encode(vector.tobytes()).decode()
    return vector.tolist()
