"""Reading request bodies: what is refused, and that any bytes end in a document or BadBody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prism.prompt.document import BadBody, read

DEEP = 100_000
BAD = {
    "empty": (b"", "empty_body"),
    "byte order mark": (b'\xef\xbb\xbf{"a":1}', "byte_order_mark"),
    "byte order mark of UTF-16": (b"\xff\xfe{\x00}\x00", "invalid_utf8"),
    "invalid UTF-8 in a key": (b'{"\xff":1}', "invalid_utf8"),
    "invalid UTF-8 in a value": (b'{"a":"\xc3("}', "invalid_utf8"),
    "a surrogate as UTF-8": (b'{"a":"\xed\xa0\x80"}', "invalid_utf8"),
    "an array": (b"[1]", "not_an_object"),
    "a string": (b'"model"', "not_an_object"),
    "null": (b"null", "not_an_object"),
    "only whitespace": (b" \n", "invalid_json"),
    "truncated": (b'{"a":"b', "invalid_json"),
    "trailing garbage": (b'{"a":1}x', "invalid_json"),
    "two objects": (b"{}{}", "invalid_json"),
    "trailing comma": (b'{"a":1,}', "invalid_json"),
    "NaN": (b'{"a":NaN}', "invalid_json"),
    "Infinity": (b'{"a":-Infinity}', "invalid_json"),
    "a leading zero": (b'{"a":01}', "invalid_json"),
    "a comment": (b'{"a":1/**/}', "invalid_json"),
    "single quotes": (b"{'a':1}", "invalid_json"),
    "a form feed": (b"\x0c{}", "invalid_json"),
    "a raw line end in a string": (b'{"a":"\n"}', "invalid_json"),
    "half a surrogate pair": (b'{"a":"\\ud83d"}', "invalid_json"),
    "the other half": (b'{"a":"\\ude00"}', "invalid_json"),
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "invalid_utf8"),
    "form data": (b"model=auto", "invalid_json"),
    "an array bomb": (b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}", "too_deep"),
    "an object bomb": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "too_deep"),
    "an open bomb": (b"[" * DEEP, "not_an_object"),
}


@pytest.mark.parametrize(("body", "code"), BAD.values(), ids=BAD)
def test_a_bad_body_is_refused_with_its_own_code(body: bytes, code: str) -> None:
    with pytest.raises(BadBody) as caught:
        read(body)
    assert caught.value.code == code


def test_half_a_surrogate_pair_is_named() -> None:
    with pytest.raises(BadBody, match="half of a surrogate pair"):
        read(b'{"model":"auto","text":"cut \\ud83d"}')


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b" {\t} \r\n",
        b'{"":1}',
        b'{"a":1e999,"b":' + b"9" * 10_000 + b"}",
        b'{"a":' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"a":"\\ud83d\\ude00 \\\\ \\" \xf0\x9f\x98\x80 \x7f"}',
        b'{"' + b"k" * 100_000 + b'":1}',
        b'{"' + b"\\n" * 100_000 + b'":1}',
        b'{"a":"' + b"x" * (32 * 1024 * 1024) + b'"}',
    ],
    ids=["empty", "spaces", "empty key", "numbers", "deep", "escapes", "key", "escaped", "32 MiB"],
)
def test_odd_but_valid_bodies_are_read(body: bytes) -> None:
    document = read(body)
    for member in document.members.values():
        assert body[member.value_start : member.value_end] == bytes(member.value)


DUPLICATES = {
    "plain": (b'{"model":"a","model":"b"}', "model"),
    "the same value": (b'{"model":"a","model":"a"}', "model"),
    "escaped": (b'{"model":"a","mod\\u0065l":"b"}', "model"),
    "escaped first": (b'{"\\u006dodel":"a","x":1,"model":"b"}', "model"),
    "a number and its beginning": (b'{"n":12,"n":1}', "n"),
    "a beginning and its number": (b'{"n":1,"n":12}', "n"),
    "empty keys": (b'{"":1,"":1}', ""),
    "three": (b'{"a":1,"a":1,"a":1}', "a"),
    "not the first": (b'{"x":0,"a":1,"b":[{"a":2}],"a":1}', "a"),
    "the last value first": (b'{"a":{"b":1},"b":1,"a":{"b":1}}', "a"),
    "a string like members": (b'{"a":"\\",\\"b\\":1","b":2,"a":"\\",\\"b\\":1"}', "a"),
    "with a number too long for Python": (b'{"n":' + b"1" * 5000 + b',"a":1,"a":1}', "a"),
    "nested duplicates too": (b'{"m":{"x":1,"x":2},"a":1,"a":1}', "a"),
}


@pytest.mark.parametrize(("body", "name"), DUPLICATES.values(), ids=DUPLICATES)
def test_a_duplicate_key_is_refused_by_name(body: bytes, name: str) -> None:
    with pytest.raises(BadBody) as caught:
        read(body)
    assert caught.value.code == "duplicate_key"
    assert caught.value.param == name


def test_lengths_that_stay_in_step_do_not_hide_a_duplicate() -> None:
    last = b'"' + b"z" * 21 + b'"'
    inner = b'{"x":"0123456789","b"      :"y"}'
    body = b'{"a":1,"b":' + inner + b',"a":' + last + b"}"
    # The length of a's last value leads from its first one to the b inside b, and that of
    # b's value from there to the end: a walk by lengths alone would tile this body.
    inside = len(b'{"a":' + last)
    assert body.startswith(b',"b"      :', inside)
    assert body[inside + len(b',"b"      :') + len(inner) :] == b"}"
    with pytest.raises(BadBody) as caught:
        read(body)
    assert caught.value.code == "duplicate_key"


def test_duplicates_in_a_body_too_deep_to_name_them_are_refused() -> None:
    # The decoder goes deeper than the parser that finds the name.
    for depth in range(900, 1100, 5):
        body = b'{"a":1,"a":' + b"[" * depth + b"]" * depth + b"}"
        with pytest.raises(BadBody) as caught:
            read(body)
        assert caught.value.code in {"duplicate_key", "too_deep"}


def test_nested_duplicates_pass() -> None:
    body = b'{"messages":[{"role":"user","role":"system"}],"tools":{"a":1,"a":2}}'
    assert list(read(body).members) == ["messages", "tools"]


PIECES = (
    *(bytes([byte]) for byte in b'{}[]",:\\1-e.a \n\xff'),
    *(b"null", b"true", b'"a"', b'"a":', b'{"a":1', b"\\u00", b"\\ud83d", b"\xc3\xa9"),
)
JSONISH = st.lists(st.sampled_from(PIECES)).map(b"".join)


def strictly(body: bytes) -> dict[str, Any] | None:
    """What Python's own parser makes of a body by RFC 8259, or ``None`` where it is invalid.

    Unlike ``read`` it passes half a surrogate pair, so that counts as invalid here.
    """

    def refuse(value: Any) -> Any:
        raise ValueError(value)

    def once(items: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        return items

    try:
        pairs = json.loads(body.decode(), parse_constant=refuse, object_pairs_hook=once)
        json.dumps(pairs, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    # An array of pairs looks like an object's pairs, so ask the text.
    if body.strip(b" \t\n\r")[:1] != b"{":
        return None
    return dict(pairs) if len(dict(pairs)) == len(pairs) else None


@given(st.one_of(st.binary(max_size=60), JSONISH))
@example(b'{"a":1,"a":1}')
@example(b'{"a":"\\ud83d"}')
def test_any_bytes_are_read_exactly_where_python_reads_them(body: bytes) -> None:
    try:
        found = list(read(body).members)
    except BadBody:
        found = None
    expected = strictly(body)
    assert found == (None if expected is None else list(expected))
