"""The answer of a provider as logs keep it: one object, a list of chunks, or the raw stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from prism.prompt.chat import BYTES_PER_TOKEN
from prism.savings.tokens import UsageObject, read_usage
from prism.savings.usage import BadLine, LeftOut, Tokens

NOTHING = msgspec.Raw(b"")
_NULLS = (b"", b"null", b"{}", b"[]", b'""', b'"{}"', b'"[]"')
_LONGEST_NULL = max(map(len, _NULLS))
_FAILED = 400
_OF_MESSAGES = ("message", "message_start")


def there(raw: msgspec.Raw) -> bool:
    """Whether a member is there and says something."""
    return len(memoryview(raw)) > _LONGEST_NULL or bytes(raw) not in _NULLS


class _Words(msgspec.Struct, gc=False):
    content: str | list[msgspec.Raw] | None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Words | None = None
    delta: _Words | None = None
    text: str | None = None


class _Message(msgspec.Struct, gc=False):
    """The message of Anthropic's ``message_start``, the response of ``response.completed``."""

    model: str | None = None
    usage: msgspec.Raw = NOTHING


class _Piece(msgspec.Struct, gc=False):
    """An answer, or one chunk of it. ``body`` is where batches and proxies put the answer."""

    object: str | None = None
    model: str | None = None
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    choices: msgspec.Raw = NOTHING
    message: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING
    body: msgspec.Raw = NOTHING
    status_code: int | None = None
    type: str | None = None


_PIECE = msgspec.json.Decoder(_Piece)
_PIECES = msgspec.json.Decoder(list[_Piece])
_CHOICES = msgspec.json.Decoder(list[_Choice] | None)
_INNER = msgspec.json.Decoder(_Message)
_TEXT = msgspec.json.Decoder(str)


class Answer:
    """What is known of an answer once all its pieces were read. ``of_messages``: it has the
    form of Anthropic's Messages."""

    __slots__ = ("_bytes", "_usage", "left_out", "model", "of_messages")

    def __init__(self) -> None:
        self.model: str | None = None
        self.left_out: LeftOut | None = None
        self.of_messages = False
        self._usage: UsageObject | None = None
        self._bytes = 0

    def tokens(self) -> Tokens | None:
        """The provider's count, ``None`` where it gave none."""
        return None if self._usage is None else self._usage.tokens()

    def written(self) -> int:
        """Tokens of output guessed from the text; 0 where there is none."""
        return -(-self._bytes // BYTES_PER_TOKEN)

    def take(self, piece: _Piece) -> None:
        """Read one piece. Raises ``BadLine``."""
        if there(piece.error) or (piece.status_code or 0) >= _FAILED or piece.type == "error":
            self.left_out = LeftOut("a failed request")
        if piece.type in _OF_MESSAGES:
            self.of_messages = True
        if piece.object == "list":
            self.left_out = LeftOut("no chat (embeddings and the like)")
        for nested in (piece.message, piece.response):
            if bytes(nested)[:1] == b"{":
                inner: _Message = _decoded(_INNER, nested, "response")
                self._learn(inner.model, inner.usage)
        self._learn(piece.model, piece.usage)
        if there(piece.choices):
            for choice in _decoded(_CHOICES, piece.choices, "choices") or ():
                self._bytes += _length(choice)

    def _learn(self, model: str | None, usage: msgspec.Raw) -> None:
        self.model = model or self.model
        if there(usage):
            self._usage = _later(self._usage, read_usage(usage))


def read_answer(raw: msgspec.Raw | bytes) -> Answer:
    """Read an answer in any of its forms. Raises ``BadLine``."""
    answer = Answer()
    for piece in _pieces(raw):
        if there(piece.body):
            if (piece.status_code or 0) >= _FAILED:
                answer.take(piece)
                continue
            for inner in _pieces(piece.body):
                answer.take(inner)
        else:
            answer.take(piece)
    return answer


def _pieces(raw: msgspec.Raw | bytes) -> Iterable[_Piece]:
    start = bytes(memoryview(raw)[:1])
    if start == b"[":
        pieces: list[_Piece] = _decoded(_PIECES, raw, "response")
        return pieces
    if start == b'"':
        text: str = _decoded(_TEXT, raw, "response")
        inner = text.strip().encode()
        if inner[:1] in (b"{", b"["):
            return _pieces(inner)
        return [_decoded(_PIECE, data, "response") for data in _events(text)]
    piece: _Piece = _decoded(_PIECE, raw, "response")
    return [piece]


def _events(text: str) -> list[bytes]:
    """The data of server-sent events; a log's text that is no stream is a bad line."""
    lines = [line for line in text.splitlines() if line.startswith("data:")]
    if not lines:
        raise BadLine("response: a text that is neither JSON nor a stream of events")
    data = [line[5:].strip().encode() for line in lines]
    return [item for item in data if item and item != b"[DONE]"]


def _later(before: UsageObject | None, now: UsageObject) -> UsageObject:
    """Streams count as they go: what comes later is more, and what it lacks stays."""
    if before is None:
        return now
    for name in now.__struct_fields__:
        if getattr(now, name) is None:
            setattr(now, name, getattr(before, name))
    return now


def _length(choice: _Choice) -> int:
    said = [words.content for words in (choice.message, choice.delta) if words is not None]
    return sum(len(text.encode()) for text in (choice.text, *said) if isinstance(text, str))


def _decoded(decoder: msgspec.json.Decoder[Any], raw: msgspec.Raw | bytes, name: str) -> Any:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadLine(f"{name}: {error}") from None
