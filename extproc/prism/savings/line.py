"""One line of JSON to usages: pairs of request and answer, spend logs, usage exports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import msgspec

from prism.prompt.chat import Chat, read_chat
from prism.prompt.document import BadBody, read
from prism.prompt.messages import read_message_request
from prism.prompt.responses import read_response_request
from prism.routing.catalog import Capability
from prism.savings.answer import NOTHING, Answer, read_answer, there
from prism.savings.export import Export, usages_of
from prism.savings.tokens import UsageObject, read_usage
from prism.savings.usage import MOST_USD, BadLine, LeftOut, Tokens, Usage, model_name


class Metadata(msgspec.Struct, gc=False):
    """Where LiteLLM keeps the usage of the answer and, apart, what the cache did."""

    usage_object: UsageObject | None = None
    additional_usage_values: UsageObject | None = None


class Line(msgspec.Struct, gc=False):
    """The members by which the forms are told apart; a line may be an answer itself."""

    object: str | None = None
    request: msgspec.Raw = NOTHING
    request_body: msgspec.Raw = NOTHING
    proxy_server_request: msgspec.Raw = NOTHING
    body: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING
    response_body: msgspec.Raw = NOTHING
    chunks: msgspec.Raw = NOTHING
    messages: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
    prompt: msgspec.Raw = NOTHING
    choices: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING
    metadata: msgspec.Raw = NOTHING
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    custom_llm_provider: str | None = None
    spend: float | None = None
    response_cost: float | None = None
    cost: float | None = None
    cache_hit: str | bool | None = None
    status: str | int | None = None
    call_type: str | None = None


class Request(msgspec.Struct, gc=False):
    """The members by which a request's API is known; ``body`` is where proxies put it."""

    body: msgspec.Raw = NOTHING
    messages: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
    prompt: msgspec.Raw = NOTHING
    system: msgspec.Raw = NOTHING
    model: str | None = None


_LINE = msgspec.json.Decoder(Line)
_REQUEST = msgspec.json.Decoder(Request)
_METADATA = msgspec.json.Decoder(Metadata)
_TEXT = msgspec.json.Decoder(str)
_EXPORTS = ("page", "bucket")
_CHATS = ("completion", "messages", "responses", "generate")
"""Parts of the names that LiteLLM gives to calls that are answered in words."""


def read_line(line: bytes) -> Iterator[Usage | LeftOut]:
    """What a line says: one usage as a rule, many in an export. Raises ``BadLine``."""
    try:
        said = _LINE.decode(line)
        if said.object in _EXPORTS:
            export = msgspec.json.decode(line, type=Export)
            yield from usages_of(export)
            return
    except UnicodeDecodeError:
        raise BadLine("not UTF-8") from None
    except RecursionError:
        raise BadLine("nested too deeply") from None
    except msgspec.ValidationError as error:
        raise BadLine(f"{error}") from None
    except msgspec.DecodeError as error:
        raise BadLine(f"not JSON: {error}") from None
    yield _usage(line, said)


def _usage(line: bytes, said: Line) -> Usage | LeftOut:
    if (why := _left_out(said)) is not None:
        return LeftOut(why)
    answer = read_answer(_answer(line, said))
    if answer.left_out is not None:
        return answer.left_out
    asked, chat = _asked(line, said, answer)
    model = model_name(answer.model or said.model or asked or "")
    tokens, estimated = _tokens(said, answer), False
    if tokens is None:
        if chat is None or not answer.written():
            raise BadLine("no usage, and no texts of request and answer to guess it from")
        tokens, estimated = Tokens(chat.input_tokens, answer.written()), True
    own = next((c for c in (said.spend, said.response_cost, said.cost) if c is not None), None)
    if own is not None and not 0 <= own <= MOST_USD:
        raise BadLine("a cost that is no amount of dollars")
    return Usage(model, tokens, chat, said.custom_llm_provider, 1, own, estimated)


def _left_out(said: Line) -> str | None:
    if there(said.error) or said.status in ("failure", "error"):
        return "a failed request"
    if str(said.cache_hit).lower() == "true":
        return "answered from the proxy's own cache"
    if said.call_type and not any(part in said.call_type for part in _CHATS):
        return "no chat (embeddings and the like)"
    return None


def _answer(line: bytes, said: Line) -> msgspec.Raw | bytes:
    for raw in (said.response, said.response_body, said.chunks):
        if there(raw):
            return raw
    if there(said.choices) or there(said.usage):
        return line
    return b"{}"


def _tokens(said: Line, answer: Answer) -> Tokens | None:
    if (counted := answer.tokens()) is not None:
        return counted
    found = read_usage(said.usage) if there(said.usage) else UsageObject()
    if there(said.metadata) and bytes(said.metadata)[:1] == b"{":
        try:
            kept = _METADATA.decode(said.metadata)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadLine(f"metadata: {error}") from None
        found = kept.usage_object or found
        more = kept.additional_usage_values or UsageObject()
        found.cache_read_input_tokens = (
            found.cache_read_input_tokens or more.cache_read_input_tokens
        )
        found.cache_creation_input_tokens = (
            found.cache_creation_input_tokens or more.cache_creation_input_tokens
        )
    if found.prompt_tokens is None and found.input_tokens is None:
        found.prompt_tokens, found.completion_tokens = said.prompt_tokens, said.completion_tokens
    return found.tokens()


def _asked(line: bytes, said: Line, answer: Answer) -> tuple[str | None, Chat | None]:
    """The request's model and what the gateway would read of it, where the line has it."""
    for raw in (said.request, said.request_body, said.proxy_server_request, said.body):
        if there(raw):
            return _request(_plain(raw), answer)
    for raw in (said.messages, said.input, said.prompt):
        if there(raw) and bytes(raw)[:1] in (b"[", b'"'):
            return _request(line, answer)
    return None, None


def _plain(raw: msgspec.Raw) -> bytes:
    """The bytes of a request; some logs keep it as a text."""
    encoded = bytes(raw)
    if encoded[:1] != b'"':
        return encoded
    try:
        return _TEXT.decode(encoded).encode()
    except msgspec.DecodeError as error:
        raise BadLine(f"request: {error}") from None


def _request(encoded: bytes, answer: Answer) -> tuple[str | None, Chat | None]:
    try:
        asked = _REQUEST.decode(encoded)
        if there(asked.body):
            encoded = _plain(asked.body)
            asked = _REQUEST.decode(encoded)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadLine(f"request: {error}") from None
    try:
        return asked.model, _chat(asked, encoded, answer)
    except BadBody as bad:
        raise BadLine(f"request: {bad.message}") from None


def _chat(asked: Request, encoded: bytes, answer: Answer) -> Chat | None:
    if there(asked.messages):
        document = read(encoded)
        if there(asked.system) or answer.of_messages:
            # Proxies that translate log the one API's request with the other's answer.
            with suppress(BadBody):
                return read_message_request(document)
        return read_chat(document)
    if _is_text(asked.input) or _has_items(asked.input):
        chat = read_response_request(read(encoded))
        # What it would have cost as a chat, which more models answer than Responses.
        return replace(chat, needs=chat.needs - {Capability.RESPONSES})
    return of_text(_TEXT.decode(asked.prompt)) if _is_text(asked.prompt) else None


def _is_text(raw: msgspec.Raw) -> bool:
    return there(raw) and bytes(raw)[:1] == b'"'


def _has_items(raw: msgspec.Raw) -> bool:
    """Whether it is a list of items; one of texts or tokens asks for embeddings."""
    encoded = bytes(raw)
    return encoded[:1] == b"[" and encoded[1:].lstrip()[:1] == b"{"


def of_text(text: str) -> Chat:
    """A chat of one turn, as it is read from a request."""
    return read_chat(read(msgspec.json.encode({"messages": [{"role": "user", "content": text}]})))
