"""Editing bodies: the model replaced, ``prism`` cut out, every other byte as it was."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.prompt.document import edit, read

MODEL = b'"gpt-4o-mini"'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"auto"}', b'{"model":"gpt-4o-mini"}'),
        (b'{ "model" : "auto" , "n" : 1 }', b'{ "model" : "gpt-4o-mini" , "n" : 1 }'),
        (b'{"prism":{},"model":"a"}', b'{"model":"gpt-4o-mini"}'),
        (b'{"model":"a","prism":{}}', b'{"model":"gpt-4o-mini"}'),
        (b'{"model":"a", "prism":{} , "n":1}', b'{"model":"gpt-4o-mini", "n":1}'),
        (b'{"n":1 ,"prism":{"mode":"eco"} ,"model":"a"}', b'{"n":1 ,"model":"gpt-4o-mini"}'),
        (b'{"mod\\u0065l":"a","n":1}', b'{"mod\\u0065l":"gpt-4o-mini","n":1}'),
        (b'{"model":"a","\\u0070rism":1}', b'{"model":"gpt-4o-mini"}'),
        (b'{"m":{"model":"b","prism":1},"model":"a"}', None),
        (b'{"model":"a","n":1.0000000000000000001,"big":123456789012345678901234567890}', None),
        (b'{"prism":{}}', b"{}"),
        (b'{ "prism" : {} }', b"{  }"),
        (b'{"input":"x","prism":{}}', b'{"input":"x"}'),
        (b'{"input":"x"}', b'{"input":"x"}'),
        (b"{}", b"{}"),
    ],
)
def test_a_body_is_edited_by_place(body: bytes, expected: bytes | None) -> None:
    edited = edit(read(body), MODEL, "prism")
    assert edited.body == (expected or body.replace(b'"model":"a"', b'"model":' + MODEL))
    if b"gpt" in edited.body:
        assert edited.body[edited.model_start : edited.model_end] == MODEL
    else:
        assert edited.model_start == edited.model_end == 0


@dataclass(frozen=True)
class Text:
    """One member as text: what its key decodes to, the key as written, the value, and the
    whitespace before key, after key, before value and after value."""

    name: str
    key: str
    value: str
    spaces: tuple[str, str, str, str]

    def __str__(self) -> str:
        a, b, c, d = self.spaces
        return f"{a}{self.key}{b}:{c}{self.value}{d}"


@st.composite
def strings(draw: st.DrawFn, text: str) -> str:
    """``text`` as JSON, with some characters escaped that need not be."""
    written = []
    for character in text:
        if draw(st.booleans()):
            pairs = character.encode("utf-16-be")
            written += [f"\\u{pairs[i]:02X}{pairs[i + 1]:02x}" for i in range(0, len(pairs), 2)]
        else:
            written.append(json.dumps(character, ensure_ascii=False)[1:-1])
    return '"' + "".join(written) + '"'


SPACE = st.text(" \t\n\r", max_size=2)
CHARACTERS = st.characters(exclude_categories=["Cs"])
NAMES = st.one_of(
    st.text(CHARACTERS, max_size=5), st.sampled_from(["Model", "models", '","model":"'])
)
NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
PLAIN = st.one_of(
    st.sampled_from(["null", "true", "false", '{"model":"x","prism":{}}', '",\\"model\\":\\"x"']),
    NUMBERS,
    st.text(CHARACTERS, max_size=8).flatmap(strings),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(st.tuples(SPACE, inner, SPACE).map("".join), max_size=3).map(
            lambda items: "[" + ",".join(items) + "]"
        ),
        st.lists(
            st.tuples(st.text(CHARACTERS, max_size=3).flatmap(strings), inner), max_size=3
        ).map(lambda items: "{" + ",".join(f"{key}: {value}" for key, value in items) + "}"),
    ),
    max_leaves=5,
)


def member(name: st.SearchStrategy[str]) -> st.SearchStrategy[Text]:
    return name.flatmap(
        lambda n: st.builds(
            Text, st.just(n), strings(n), VALUES, st.tuples(SPACE, SPACE, SPACE, SPACE)
        )
    )


@st.composite
def objects(draw: st.DrawFn) -> tuple[Text, ...]:
    """Members with different names, ``model`` and ``prism`` somewhere among them or not."""
    found = draw(st.lists(member(NAMES), max_size=4))
    found += [draw(member(st.just(name))) for name in ("model", "prism") if draw(st.booleans())]
    return tuple(draw(st.permutations(list({item.name: item for item in found}.values()))))


@given(objects(), st.text(CHARACTERS, max_size=12), SPACE, SPACE)
def test_only_the_model_and_prism_change(
    members: tuple[Text, ...], name: str, before: str, after: str
) -> None:
    body = (before + "{" + ",".join(map(str, members)) + "}" + after).encode()
    model = json.dumps(name).encode()
    edited = edit(read(body), model, "prism")

    # Python's own parser, with numbers as they are written, says what must have changed.
    def parsed(text: bytes) -> dict[str, object]:
        found: dict[str, object] = json.loads(text, parse_int=str, parse_float=str)
        return found

    expected = {key: value for key, value in parsed(body).items() if key != "prism"}
    if "model" in expected:
        expected["model"] = name
        assert edited.body[edited.model_start : edited.model_end] == model
    assert parsed(edited.body) == expected
    assert list(parsed(edited.body)) == list(expected)

    # And the text of every other member is there, unchanged and in order, nothing else.
    at = edited.body.decode()
    position = 0
    for kept in (m for m in members if m.name != "prism"):
        value = json.dumps(name) if kept.name == "model" else kept.value
        written = f"{kept.key}{kept.spaces[1]}:{kept.spaces[2]}{value}"
        found = at.index(written, position)
        assert not at[position:found].strip(" \t\n\r{,")
        position = found + len(written)
    assert not at[position:].strip(" \t\n\r{}")
    if all(m.name != "prism" for m in members):
        assert (
            at
            == before
            + "{"
            + ",".join(
                str(m if m.name != "model" else Text(m.name, m.key, json.dumps(name), m.spaces))
                for m in members
            )
            + "}"
            + after
        )
