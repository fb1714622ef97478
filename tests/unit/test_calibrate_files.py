"""The files that a calibration reads: what is in them, and every way to be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.calibrating import ORIGIN

from prism.calibrate.model_rows import read_model_rows
from prism.calibrate.outcomes import Outcome, read_outcomes
from prism.calibrate.prices import read_prices, write_prices
from prism.calibrate.settings import (
    Broken,
    ModelColumns,
    OutcomeColumns,
    PerTask,
    Settings,
    read_settings,
)
from prism.calibrate.tally import count, measured
from prism.routing.catalog import TASKS, Price, Task

COLUMNS = ModelColumns(
    quality={task: f"q_{task}" for task in TASKS},
    where={"set": "main"},
    quality_row="row",
    seconds="s",
    answer_tokens="tokens",
    input_price="in",
    output_price="out",
    price_source="from",
)
HEADER = "set,model,q_simple,q_code,q_reasoning,q_complex,row,s,tokens,in,out,from"
GOOD = "main,a,50,60,70,80,a-high,2.5,100,1,2,a list"


def test_a_row_becomes_measurements_with_their_origins() -> None:
    lines = [HEADER, GOOD, "other,b,,,,,,,,,,"]
    (found,) = read_model_rows(lines, COLUMNS, "models.csv")
    assert found.model == "a"
    assert [found.samples[task].mean for task in TASKS] == [0.5, 0.6, 0.7, 0.8]
    assert found.samples[Task.CODE].count is None
    assert found.quality_origin.row == "a-high"
    assert found.price is not None
    assert found.price.price == Price(1, 2, 1, 1)
    assert str(found.price.origin) == "a list"
    assert found.speed is not None
    assert (found.speed.seconds, found.speed.tokens) == (2.5, 100)


def test_an_empty_field_was_not_measured() -> None:
    (found,) = read_model_rows([HEADER, "main,a,50,,70,,,,,,,"], COLUMNS, "models.csv")
    assert set(found.samples) == {Task.SIMPLE, Task.REASONING}
    assert found.price is None
    assert found.speed is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no column 'model'"),
        ([HEADER.replace("q_code", "code"), GOOD], "no column 'q_code'"),
        ([HEADER], "no row is left"),
        ([HEADER, GOOD, GOOD], "line 3: a is here twice"),
        ([HEADER, GOOD.replace("60", "sixty")], "line 2: q_code is 'sixty'"),
        ([HEADER, GOOD.replace("60", "nan")], "line 2: q_code is 'nan'"),
        ([HEADER, GOOD.replace("60", "-1")], "line 2: q_code is '-1'"),
        ([HEADER, GOOD.replace("60", "101")], "line 2: q_code is over 100"),
        ([HEADER, GOOD.replace(",a,", ",,")], "line 2: no name"),
    ],
)
def test_broken_rows_are_named(lines: list[str], message: str) -> None:
    with pytest.raises(Broken, match=message):
        read_model_rows(lines, COLUMNS, "models.csv")


PRICES = "model,input,output,cached_input,source,date\n"
"""As written before tokens put into the cache had a price of their own."""


def test_prices_read_back_as_they_were_written() -> None:
    text = (
        "model,input,output,cached_input,cache_write,source,date\n"
        "a,1.25,10,0.125,1.5,x,2026-11-27\nb,0.2,0.5,,,y,\n"
    )
    found = read_prices(text.splitlines(), "prices.csv")
    assert found["a"].price == Price(1.25, 10, 0.125, 1.5)
    assert found["b"].price == Price(0.2, 0.5, 0.2, 0.2)
    assert write_prices(found) == text
    older = read_prices((PRICES + "a,1,2,,x,\n").splitlines(), "prices.csv")
    assert older["a"].price == Price(1, 2, 1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,input\n", "no column 'output', 'cached_input', 'source', 'date'"),
        (PRICES + "a,,1,,,\n", "line 2: input is ''"),
        (PRICES + "a,1,-1,,,\n", "line 2: output is '-1'"),
        (PRICES + "a,1,inf,,,\n", "line 2: output is 'inf'"),
        (PRICES + "a,1,1,x,,\n", "line 2: cached_input is 'x'"),
        (PRICES + "a,1,1,,,\na,1,1,,,\n", "line 3: a is here twice"),
    ],
)
def test_broken_prices_are_named(text: str, message: str) -> None:
    with pytest.raises(Broken, match=message):
        read_prices(text.splitlines(), "prices.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tolerances: {eko: 0.1}", r"unknown field `eko`.*\$\.tolerances"),
        ("tolerances: {eco: a}", r"\$\.tolerances\.eco"),
        ("tolerances: {eco: 1}", "tolerances.eco is 1"),
        ("tolerances: {sport: -0.1}", "tolerances.sport is -0.1"),
        ("length: 6", "length is 6"),
        ("minSamples: 0", "must be above 0"),
        ("writingSpeed: .inf", "must be above 0"),
        ("inputTokens: {simple: 1, code: 1, reasoning: 1}", "complex"),
        ("inputTokens: {simple: 0, code: 1, reasoning: 1, complex: 1}", "inputTokens"),
        ("models: {quality: {simple: a}}", "wrong: code, complex, reasoning"),
        ("models: {scale: 0, quality: {simple: a, code: b, reasoning: c, complex: d}}", "scale"),
        ("[", "settings.yaml"),
        ("3", "settings.yaml"),
    ],
)
def test_broken_settings_are_named(text: str, message: str) -> None:
    with pytest.raises(Broken, match=message):
        read_settings(text.encode(), "settings.yaml")


def test_settings_have_defaults() -> None:
    found = read_settings(b"length: 2\nwritingSpeed: 50", "settings.yaml")
    assert found == Settings(length=2, writing_speed=50)
    assert isinstance(found.input_tokens, PerTask)


def outcomes(tmp_path: Path, text: str | bytes) -> list[Outcome]:
    path = tmp_path / "outcomes.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_outcomes(path, OutcomeColumns()))


def test_outcomes_of_csv(tmp_path: Path) -> None:
    text = "\ufeffprompt,model,score,task,cost,latency\np,a,0.5,code,0.01,2\np,b,,,,\n"
    assert outcomes(tmp_path, text) == [
        Outcome("p", "a", 0.5, Task.CODE, 0.01, 2.0),
        Outcome("p", "b", None, None, None, None),
    ]
    long = "word " * 100_000
    assert outcomes(tmp_path, f"prompt,model,score\n{long},a,1\n\n")[0].prompt == long
    # Only three columns must be there.
    assert outcomes(tmp_path, "score,model,prompt\n1,a,p\n") == [
        Outcome("p", "a", 1.0, None, None, None)
    ]


def test_outcomes_of_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"prompt": [7], "model": ["a"], "score": [1.0], "cost": [None]})
    parquet.write_table(table, tmp_path / "o.parquet")
    found = list(read_outcomes(tmp_path / "o.parquet", OutcomeColumns()))
    assert found == [Outcome("7", "a", 1.0, None, None, None)]
    # Known by its first bytes as well.
    (tmp_path / "o.parquet").rename(tmp_path / "o.pq")
    assert list(read_outcomes(tmp_path / "o.pq", OutcomeColumns())) == found
    (tmp_path / "bad.parquet").write_bytes(b"prompt,model,score\n")
    with pytest.raises(Broken, match="not Parquet"):
        list(read_outcomes(tmp_path / "bad.parquet", OutcomeColumns()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'prompt', 'model', 'score'"),
        ("prompt,model\np,a\n", "no column 'score'"),
        ("prompt,model,score\np,,1\n", "line 2: no model"),
        ("prompt,model,score\n,a,1\n", "line 2: no prompt"),
        ("prompt,model,score\np,a,1.1\n", "line 2: score is '1.1', not a number from 0 to 1"),
        ("prompt,model,score\np,a,good\n", "line 2: score is 'good'"),
        ("prompt,model,score,cost\np,a,1,-3\n", "line 2: cost is '-3', not a number from 0 up"),
        ("prompt,model,score,task\np,a,1,maths\n", "line 2: task is 'maths', not a task"),
        ("prompt,model,score\nSort a, b,a,1\n", "line 2: 4 values, the header has 3"),
        ("prompt,model,score\np,a\n", "line 2: 2 values, the header has 3"),
        (b"prompt,model,score\np,\xff,1\n", "not UTF-8"),
    ],
)
def test_broken_outcomes_are_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(Broken, match=message):
        outcomes(tmp_path, text)


def test_outcomes_are_counted_once_and_those_that_say_nothing_are_named() -> None:
    rows = [
        Outcome("p", "a", 1.0, Task.CODE, 0.1, 1.0),
        Outcome("q", "a", 0.0, Task.CODE, 0.3, 3.0),
        Outcome("q", "b", 0.5, Task.SIMPLE, None, None),
        Outcome("q", "b", None, Task.SIMPLE, None, None),
        Outcome("r", "b", 1.0, None, None, None),
    ]
    tally = count(rows, lambda outcome: outcome.task)
    assert sum(tally.skipped.values()) == 2
    lengths = dict.fromkeys(TASKS, 100) | {Task.CODE: 800}
    a, b = measured(tally, lengths, ORIGIN)
    assert (a.model, b.model) == ("a", "b")
    sample = a.samples[Task.CODE]
    assert (sample.mean, sample.count, sample.squares) == (0.5, 2, 0.5)
    assert a.cost[Task.CODE] == pytest.approx(0.2)
    assert a.speed is not None
    assert (a.speed.seconds, a.speed.tokens) == (2.0, 800)
    assert b.cost == {}
    assert b.speed is None
