"""What the pages show, against the ledger and the engine that they are made of."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html import unescape

import httpx
import pytest

from prism.console.access import Access
from prism.console.asking import Asked, BadFilter, Window
from prism.console.chart import columns
from prism.console.heat import heats
from prism.console.money import best_models
from prism.console.spend import spend
from prism.ledger.address import Address
from prism.ledger.feedback import keep_feedback
from prism.ledger.finding import entries, find
from prism.ledger.listing import newest
from prism.ledger.store import Store
from prism.ledger.sums import Only
from prism.routing.catalog import Mode, Task
from prism.routing.cost import cost_usd
from prism.routing.explanation import explanation_of
from prism.routing.feedback import Feedback
from prism.routing.tree import tree
from prism.telemetry.price import baselines

from .serving import Seen, serving
from .traffic import DEMO, demo, month

MONTH = Asked(Window.MONTH)
PATHS = ("/", "/decisions", "/routing", "/spend", "/quality", "/table", "/candidate", "/health")


def text_of(html: str) -> str:
    """The words of a page, each tag a space."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def test_every_page_is_there_and_shows_no_secret(url: str) -> None:
    for path in PATHS:
        answer = httpx.get(f"{url}{path}?window=30d")
        assert answer.status_code == 200
        assert "sk-secret" not in answer.text
        assert not re.search(r"<[^>]+ (style|on\w+)=", answer.text)  # the policy forbids both
        assert not re.search(r"<script(?! src=)", answer.text)
        assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)


def test_spend_is_what_the_ledger_says(store: Store) -> None:
    now, catalog = time.time(), demo()
    since = MONTH.span(now).since_ms / 1000
    spent = saved = 0.0
    best = {name: baselines(table) for name, table in catalog.tables.items()}
    with store.asking(10) as connection:
        for entry in entries(connection, since):
            outcome, decision = entry.record.outcome, entry.record.decision
            if entry.cost_usd is None or outcome is None:
                continue
            spent += entry.cost_usd
            price = best[decision.table][decision.task].price
            saved += cost_usd(
                price,
                outcome.input_tokens or 0,
                outcome.output_tokens or 0,
                outcome.cached_input_tokens or 0,
            )
            saved -= entry.cost_usd
        found = spend(connection, MONTH, now, best_models(catalog.tables))
    assert found.total.total == pytest.approx(spent)
    assert found.total.saved == pytest.approx(saved)
    for rows in (found.stretches, found.models, found.tasks, found.projects):
        assert sum(money.total for _, money in rows) == pytest.approx(spent)
    drawn = sum(part.height for bar in found.chart.bars for part in bar.parts)
    assert drawn > 0
    assert 30 <= len(found.stretches) <= 31


def test_what_a_table_that_is_gone_cost_is_told_apart(store: Store) -> None:
    with store.asking(10) as connection:
        found = spend(connection, MONTH, time.time(), {})
    assert found.total.unknown > 0
    assert (found.total.saved, found.total.saved_share) == (0.0, None)


def test_hit_rates_are_what_the_ledger_says(store: Store) -> None:
    now = time.time()
    wanted = Only(project="frugal", mode="eco")
    with store.asking(10) as connection:
        lines = newest(connection, wanted, MONTH.span(now).since_ms, 100_000)
        (one,) = heats(connection, MONTH.span(now), wanted, apart=True)
    assert one.mode == "eco"
    asked = [line for line in lines if line.task == "code"]
    hit = [x for x in asked if x.answered_by == "deepseek-v4-flash" and (x.status or 0) == 200]
    spot = dict(one.rows)["deepseek-v4-flash"][list(Task).index(Task.CODE)]
    assert (spot.count, spot.requests) == (len(hit), len(asked))
    assert spot.shade == round(10 * len(hit) / len(asked))
    for place in range(len(Task)):
        assert sum(spots[place].count for _, spots in one.rows) == one.requests[place]


def test_a_decision_is_explained_as_prism_explain_does(url: str, store: Store) -> None:
    with store.asking(10) as connection:
        line = newest(connection, Only(), 0, 20)[-1]
        entry = find(connection, line.decision_id)
    assert entry is not None
    said = explanation_of(entry.record, entry.cost_usd, entry.feedback)
    page = text_of(httpx.get(f"{url}/decisions/{line.decision_id}").text)
    for row in tree(said).splitlines():
        words = " ".join(row.lstrip("│├└─ ").split())
        assert words in page, row


def test_a_comment_is_text_and_nothing_else(tmp_path: object, seen: Seen) -> None:
    store = Store(Address.file(tmp_path / "l.db"))  # type: ignore[operator]
    store.prepare()
    month(store, demo(), time.time(), a_day=1)
    with store.writing() as connection:
        name = newest(connection, Only(), 0, 1)[0].decision_id
        keep_feedback(connection, Feedback(name, 1.0, comment="<script>alert(1)</script>"), 1.0)
    seen.store = store
    with serving(seen, Access(None)) as url:
        page = httpx.get(f"{url}/decisions/{name}").text
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page
        page = httpx.get(f"{url}/?project=%3Cscript%3Ealert(1)").text
        assert "<script>alert" not in page
    store.close()


def test_without_a_ledger_there_are_the_decisions_in_memory(store: Store) -> None:
    with store.asking(10) as connection:
        line = newest(connection, Only(), 0, 1)[0]
        entry = find(connection, line.decision_id)
    assert entry is not None
    seen = Seen(demo(), None)
    seen.keep(entry.record)
    with serving(seen, Access(None)) as url:
        assert line.decision_id in httpx.get(f"{url}/decisions").text
        assert "no ledger" in httpx.get(f"{url}/spend").text
        assert "candidates" in httpx.get(f"{url}/decisions/{line.decision_id}").text
        assert httpx.get(f"{url}/decisions/unknown").status_code == 404
        assert httpx.get(f"{url}/health").status_code == 200


def test_before_anything_is_live(store: Store) -> None:
    with serving(Seen(None, store), Access(None)) as url:
        for path in PATHS:
            assert httpx.get(f"{url}{path}").status_code == 200
        assert "none is live" in httpx.get(f"{url}/health").text


def test_a_ledger_that_is_away(tmp_path: object) -> None:
    seen = Seen(demo(), Store(Address.file(tmp_path / "gone" / "l.db")))  # type: ignore[operator]
    with serving(seen, Access(None)) as url:
        answer = httpx.get(f"{url}/spend")
        assert answer.status_code == 503
        assert "does not answer" in answer.text


def test_another_table_is_tried(url: str) -> None:
    text = (DEMO / "table.yaml").read_text("utf-8")
    cell = "balanced: [gpt-5-mini, gemini-3.1-flash-lite-preview, mistral-small-latest]"
    assert cell in text
    other = text.replace(cell, "balanced: [mistral-small-latest, gpt-5-mini]")
    page = text_of(httpx.post(f"{url}/table?window=30d", data={"text": other}).text)
    assert "simple, balanced" in page
    assert re.search(r"Of 500 decisions [1-9]\d* would go to another model", page)
    same = text_of(httpx.post(f"{url}/table?window=30d", data={"text": text}).text)
    assert "Nothing that requests could notice" in same
    broken = text_of(
        httpx.post(f"{url}/table", data={"text": text.replace("[gpt-5-mini, ", "[x, ")}).text
    )
    assert "error" in broken
    for bad in ("", "{", "kind: ProjectPolicy", "a: 1\n---\nb: 2"):
        assert httpx.post(f"{url}/table", data={"text": bad}).status_code == 200
    assert httpx.post(f"{url}/table", data={"text": "x" * 2_000_000}).status_code == 413


def test_the_last_change_is_shown(seen: Seen) -> None:
    live = demo()
    table = live.tables[live.default_table]
    key = (Task.CODE, Mode.ECO)
    old = replace(table, cells={**table.cells, key: ("gpt-5.5",)}, generation="before-it")
    seen.before = replace(live, tables={table.name: old}, version="older")
    with serving(seen, Access(None)) as url:
        page = text_of(httpx.get(f"{url}/table").text)
    assert "before-it" in page
    assert "code, eco gpt-5.5 deepseek-v4-flash" in page


def test_filters_are_in_the_url() -> None:
    asked = Asked.of({"window": "7d", "project": "a&b", "mode": "eco", "task": ""})
    assert asked == Asked(Window.WEEK, project="a&b", mode="eco")
    assert asked.query() == "?window=7d&project=a%26b&mode=eco"
    assert asked.query(mode=None, model="x") == "?window=7d&project=a%26b&model=x"
    assert Asked().query() == ""
    assert Asked.of({"project": "(none)"}).only().project == ""
    for bad in ({"window": "1y"}, {"task": "x"}, {"mode": "x"}, {"model": "x" * 300}):
        with pytest.raises(BadFilter):
            Asked.of(bad)


def test_columns_stand_on_each_other() -> None:
    chart = columns(["a", "b"], {"x": [1.0, 0.0], "y": [2.0, 4.0]}, [5.0, 5.0], str, str)
    first, second = chart.bars
    assert [part.series for part in first.parts] == [0, 1]
    assert first.parts[1].y + first.parts[1].height == pytest.approx(first.parts[0].y)
    assert [part.series for part in second.parts] == [1]
    assert [label for _, label in chart.grid] == ["0.0", "2.0", "4.0", "6.0"]
    empty = columns(["a"], {}, [], str, str)
    assert empty.bars[0].parts == []
