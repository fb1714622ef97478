"""Files of logs: what kind they are, where their bad lines are, and that memory stays bounded."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from prism.savings import reading
from prism.savings.reading import Block, Unreadable, blocks
from prism.savings.rows import Columns, columns_of, read_row
from prism.savings.usage import BadLine, LeftOut, Tokens, Usage

ANSWER = {"model": "m", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
LINE = json.dumps({"response": ANSWER}).encode()


def read(folder: Path, content: bytes, **named: str) -> list[Block]:
    path = folder / "log"
    path.write_bytes(content)
    return list(blocks(path, named))


def numbers(found: list[Block]) -> list[int]:
    return [number for block in found for number, _ in [*block.lines, *block.rows]]


def test_json_lines(tmp_path: Path) -> None:
    (block,) = read(tmp_path, b"\n" + LINE + b"\r\n\n" + LINE)
    assert [number for number, _ in block.lines] == [2, 4]
    assert block.read == len(LINE) * 2 + 4


def test_a_byte_order_mark_and_gzip_are_no_hindrance(tmp_path: Path) -> None:
    (block,) = read(tmp_path, gzip.compress(b"\xef\xbb\xbf" + LINE))
    assert block.lines == [(1, LINE)]


def test_a_broken_first_line_makes_no_other_kind_of_file(tmp_path: Path) -> None:
    assert numbers(read(tmp_path, b'{"a": nonsense}\n' + LINE)) == [1, 2]


@pytest.mark.parametrize("indent", [None, 2])
def test_one_document_of_pages(tmp_path: Path, indent: int | None) -> None:
    page = {"object": "page", "data": []}
    (block,) = read(tmp_path, json.dumps(page, indent=indent).encode())
    assert [json.loads(line) for _, line in block.lines] == [page]
    (block,) = read(tmp_path, json.dumps([page, page], indent=indent).encode())
    assert [(n, json.loads(line)) for n, line in block.lines] == [(1, page), (2, page)]


def test_a_document_that_ends_early_is_one_bad_line(tmp_path: Path) -> None:
    (block,) = read(tmp_path, b'[{"object": "page",\n "data"')
    assert [(n, why.split(":")[0]) for n, why in block.bad] == [(1, "not JSON")]


def test_a_file_comes_in_blocks_that_lose_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK_LINES", 7)
    found = read(tmp_path, (LINE + b"\n") * 50)
    assert len(found) == 8
    assert numbers(found) == list(range(1, 51))
    rows = b"model,input_tokens,output_tokens\n" + b"m,1,2\n" * 50
    assert numbers(read(tmp_path, rows)) == list(range(2, 52))


def test_a_line_beyond_the_bound_is_named_and_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LONGEST", 1024)
    long = b'{"a": "' + b"x" * 5000 + b'"}'
    (block,) = read(tmp_path, LINE + b"\n" + long + b"\n" + LINE)
    assert numbers([block]) == [1, 3]
    assert [number for number, _ in block.bad] == [2]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has no lines"),
        (b"\n \n", "has no lines"),
        (b"PAR1\x15\x04", "is Parquet"),
        (b"PK\x03\x04zip", "is a zip archive"),
        ("model".encode("utf-16"), "is no UTF-8 text"),
        (b"\x00\x01\x02\n", "is no UTF-8 text"),
        (gzip.compress(LINE * 100)[:-20], "Compressed file ended"),
        (b"a,b,c\n1,2,3\n", "no column for model, input, output; there are a, b, c"),
        (b"just some words\n", "no column for model"),
        (b'model,input_tokens,output_tokens,"a"b\n', "expected after"),
    ],
)
def test_a_file_that_is_none_says_so(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "log"))
    assert why in str(caught.value)


HEAD = "Model,Prompt,input_tokens,output_tokens,cached_tokens,num_model_requests,cost_usd,status"


def columns(head: str = HEAD, **named: str) -> Columns:
    return columns_of(head.split(","), named)


def test_csv_with_line_ends_and_quotes_in_its_prompts(tmp_path: Path) -> None:
    text = HEAD + '\nm,"Sort, please:\n""a"" b",10,20,5,,$0.25,200\nm,,1,2,,,,\n'
    (block,) = read(tmp_path, text.encode())
    assert numbers([block]) == [2, 4]
    found = read_row(block.rows[0][1], columns())
    assert isinstance(found, Usage)
    assert (found.model, found.tokens, found.own_usd) == ("m", Tokens(10, 20, 5), 0.25)
    assert found.chat is not None
    assert found.chat.text == 'Sort, please:\n"a" b'


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_other_delimiters(tmp_path: Path, mark: str) -> None:
    (block,) = read(
        tmp_path, f"model{mark}prompt_tokens{mark}completion_tokens\nm{mark}1{mark}2".encode()
    )
    assert block.columns is not None
    assert read_row(block.rows[0][1], block.columns) == Usage("m", Tokens(1, 2))


def test_columns_may_be_named() -> None:
    named = {"model": "engine", "input": "in", "output": "out", "prompt": "question"}
    found = read_row(["m", "Hello", "1", "2.0"], columns("ENGINE,question,in,out", **named))
    assert isinstance(found, Usage)
    assert found.tokens == Tokens(1, 2)
    with pytest.raises(BadLine, match="no column 'engine'; there are a, b"):
        columns("a,b", **named)


def test_messages_in_a_cell_are_a_conversation() -> None:
    messages = json.dumps(
        [{"role": "user", "content": "Hello there, how are you today, my friend"}]
    )
    found = read_row(
        ["m", messages, "1", "2"], columns("model,messages,input_tokens,output_tokens")
    )
    assert isinstance(found, Usage)
    assert found.chat is not None
    assert found.chat.text.startswith("Hello there")


def row(**values: str) -> list[str]:
    known = {"Model": "m", "input_tokens": "10", "output_tokens": "20"} | values
    return [known.get(name, "") for name in HEAD.split(",")]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (row()[:-1], "7 values, the header has 8"),
        ([*row(), "x"], "9 values, the header has 8"),
        (row(Model=""), "no model"),
        (row(Model="\udcff"), "the name of the model"),
        (row(Prompt="\udcff"), "a prompt that can't be read"),
        (row(Prompt='[{"role": 3}]'), "a prompt that can't be read"),
        (row(Prompt='[{"rol'), "a prompt that can't be read"),
        (row(input_tokens="-1"), "input: '-1' is no count"),
        (row(input_tokens="many"), "input: 'many' is no count"),
        (row(input_tokens="9" * 20), "is no count"),
        (row(output_tokens="1e3"), "output: '1e3' is no count"),
        (row(cached_tokens="11"), "more cached tokens"),
        (row(cost_usd="free"), "cost: 'free' is no amount"),
        (row(cost_usd="nan"), "cost: 'nan' is no amount"),
        (row(cost_usd="1e13"), "cost: '1e13' is no amount"),
    ],
)
def test_a_bad_row_says_why(values: list[str], why: str) -> None:
    with pytest.raises(BadLine) as caught:
        read_row(values, columns())
    assert why in str(caught.value)


def test_rows_without_an_answer_are_left_out() -> None:
    assert read_row(row(status="500"), columns()) == LeftOut("a failed request")
    assert read_row(row(num_model_requests="0"), columns()) == LeftOut("no requests in a row")


def test_the_usage_that_openai_s_dashboard_exports(tmp_path: Path) -> None:
    """A row for each span of time and group, empty where nothing was used."""
    head = (
        "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,"
        "api_key_id,model,batch,service_tier,input_tokens,output_tokens,input_cached_tokens,"
        "input_uncached_tokens,input_cache_write_tokens"
    )
    when = "1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00"
    rows = [
        f"{when},proj_a,5,,,gpt-5-mini-2025-08-07,False,default,1000,500,800,200,100",
        f"{when},proj_a,5,,,gpt-5-mini-2025-08-07,True,default,1000,500,800,200,0",
        when + "," * 12,
    ]
    (block,) = read(tmp_path, "\n".join([head, *rows]).encode())
    assert block.columns is not None
    assert [read_row(values, block.columns) for _, values in block.rows] == [
        Usage("gpt-5-mini-2025-08-07", Tokens(1000, 500, 800, 100), requests=5),
        LeftOut("batches, which pass no gateway"),
        LeftOut("no requests in a row"),
    ]


def test_a_header_without_a_column_says_how_to_name_it() -> None:
    with pytest.raises(BadLine, match=r"no column for output; .* --column output=NAME"):
        columns("model,input_tokens,answer")
    with pytest.raises(BadLine, match="is no UTF-8 text"):
        columns("\udcff\udcfe,b")


def test_a_quote_that_never_ends_costs_no_line_before_it(tmp_path: Path) -> None:
    text = 'model,input_tokens,output_tokens\nm,1,2\nm,"1,2\nm,1,2\n'
    (block,) = read(tmp_path, text.encode())
    assert numbers([block]) == [2]
    assert [number for number, _ in block.bad] == [3]
