"""A table beside its candidate: against the records, one by one, that the page adds up."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from prism.console.access import Access
from prism.console.asking import Asked, Window
from prism.console.beside import ALL, Compared
from prism.console.candidate import compared
from prism.ledger.address import Address
from prism.ledger.entry import Entry
from prism.ledger.finding import entries, graded
from prism.ledger.store import Store
from prism.routing.catalog import Catalog, Task
from prism.routing.plan import compile_plan
from prism.simulate.arms import Arms
from prism.simulate.difference import Difference
from prism.simulate.tried import tried

from .serving import Seen, serving
from .test_console_pages import text_of
from .traffic import demo, month, trying

MONTH = Asked(Window.MONTH)
PERCENT = 20


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A ledger with a month of traffic of a canary; tests only read it."""
    made = Store(Address.file(tmp_path_factory.mktemp("candidate") / "ledger.db"))
    made.prepare()
    month(made, trying(PERCENT), time.time(), a_day=40)
    yield made
    made.close()


def everything(store: Store, asked: Asked = MONTH) -> list[Entry]:
    since = asked.span(time.time()).since_ms / 1000
    with store.asking(60) as connection:
        return list(entries(connection, since, asked.project))


def found(store: Store, catalog: Catalog, asked: Asked = MONTH) -> Compared:
    with store.asking(60) as connection:
        (one,) = compared(connection, catalog, asked, time.time())
    return one


@pytest.mark.parametrize("project", [None, "frugal"])
def test_sums_are_what_simulate_says_of_each_record(store: Store, project: str | None) -> None:
    catalog, asked = trying(PERCENT), replace(MONTH, project=project)
    plan, sums, priced, arms = compile_plan(catalog), Difference(), Difference(), Arms()
    for entry in everything(store, asked):
        one = tried(entry.record, plan, entry.cost_usd)
        sums.add(one, 0)
        arms.add(entry.record, entry.cost_usd)
        if entry.cost_usd is not None:
            priced.add(one, 0)
    shown = found(store, catalog, asked)
    assert shown.tasks[ALL].requests == sums.total.decisions > 100
    for task, beside in shown.tasks.items():
        whole = sums.total if task == ALL else sums.tasks[task]
        paid = priced.total if task == ALL else priced.tasks[task]
        assert (beside.requests, beside.graded) == (whole.decisions, whole.graded)
        assert beside.priced == paid.decisions
        assert beside.cost == pytest.approx(paid.cost_before)
        assert beside.candidate_cost == pytest.approx(paid.cost_after)
        assert beside.quality == pytest.approx(whole.quality_before)
        assert beside.candidate_quality == pytest.approx(whole.quality_after)
        for arm, measured in zip(shown.arms[task], arms.by_task[task.lower()], strict=True):
            assert (arm.requests, arm.failed) == (measured.decisions, measured.failed)
            assert arm.cost == pytest.approx(measured.cost_usd)
            assert arm.total_ms == pytest.approx(measured.total_ms)


def test_pairs_of_models_are_counted_with_examples(store: Store) -> None:
    shown, pairs = found(store, trying(PERCENT)), Counter[tuple[object, ...]]()
    kept = {entry.record.decision_id: entry.record for entry in everything(store)}
    for record in kept.values():
        assert record.trial is not None
        assert record.other is not None
        ours, theirs = record.decision.models[:1], record.other.decision.models[:1]
        if record.trial.applied:
            ours, theirs = theirs, ours
        if ours != theirs:
            pairs[record.decision.task, *(ours or [None]), *(theirs or [None])] += 1
    assert {
        (Task(move.task), move.model, move.candidate_model): move.beside.requests
        for move in shown.moves
    } == pairs
    assert shown.tasks[ALL].differ == sum(pairs.values()) > 0
    assert {move.task for move in shown.moves} <= {"code", "reasoning"}
    for move in shown.moves:
        for name in move.beside.examples:
            assert kept[name].decision.task == move.task
        newest = max(
            name
            for name, one in kept.items()
            if one.decision.task == move.task
            and {move.model, move.candidate_model}
            == {one.decision.models[0], one.other and one.other.decision.models[0]}
        )
        assert move.beside.examples[0] == newest


def test_scores_are_of_whoever_decided(store: Store) -> None:
    shown, kept = found(store, trying(PERCENT)), everything(store)
    applied = {e.record.decision_id: e.record.trial and e.record.trial.applied for e in kept}
    said: dict[tuple[str, bool], list[float]] = {}
    with store.asking(60) as connection:
        for one in graded(connection, MONTH.span(time.time()).since_ms / 1000):
            for task in (ALL, str(one.task)):
                said.setdefault((task, bool(applied[one.decision_id])), []).append(one.score)
    for task, both in shown.arms.items():
        for side, arm in enumerate(both):
            scores = said.get((task, bool(side)), [])
            if arm.score is None:
                assert scores == []
                continue
            assert arm.score.count == len(scores)
            assert arm.score.mean == pytest.approx(sum(scores) / len(scores))
            assert 0 <= arm.score.low <= arm.score.mean <= arm.score.high <= 1
    assert shown.arms[ALL][1].score is not None


def test_filters_hold(store: Store) -> None:
    catalog = trying(PERCENT)
    code = found(store, catalog, replace(MONTH, task="code", table="default"))
    assert set(code.tasks) == {ALL, "code"}
    assert code.tasks[ALL].requests == found(store, catalog).tasks["code"].requests
    other = found(store, catalog, replace(MONTH, model="claude-opus-4-8", task="reasoning"))
    assert 0 < other.tasks[ALL].requests < code.tasks[ALL].requests
    with store.asking(60) as connection:
        assert compared(connection, catalog, replace(MONTH, table="next"), time.time()) == []


def test_decisions_under_another_version_are_left_out(store: Store) -> None:
    live = trying(PERCENT)
    changed = replace(live.tables["next"], generation="candidate-2")
    shown = found(store, replace(live, tables={**live.tables, "next": changed}))
    assert shown.tasks[ALL].requests == 0
    assert shown.others == found(store, live).tasks[ALL].requests
    seen = Seen(replace(live, tables={**live.tables, "next": changed}), store)
    with serving(seen, Access(None)) as url:
        page = text_of(httpx.get(f"{url}/candidate?window=30d").text)
    assert f"{shown.others:,} were under other versions" in page


def test_the_page_says_all_of_it(store: Store) -> None:
    shown = found(store, trying(PERCENT))
    with serving(Seen(trying(PERCENT), store), Access(None)) as url:
        html = httpx.get(f"{url}/candidate?window=30d").text
        page = text_of(html)
        links = set(re.findall(r'href="(/decisions/[^"]+)"', html))
        assert len(links) > 3
        assert httpx.get(f"{url}{links.pop()}").status_code == 200
        table = text_of(httpx.get(f"{url}/table").text)
        lines = text_of(httpx.get(f"{url}/decisions?window=30d").text)
    beside = shown.tasks[ALL]
    assert f"Decisions compared {beside.requests:,}" in page
    assert f"{beside.differ:,}" in page
    assert "decides 20% of conversations" in table
    assert "(a canary)" in page
    assert "candidate-1" in page
    assert "code, balanced" in page  # what the candidate changes
    assert "by the candidate" in lines


def test_a_shadow_was_not_measured(tmp_path: object) -> None:
    store = Store(Address.file(tmp_path / "l.db"))  # type: ignore[operator]
    store.prepare()
    month(store, trying(0), time.time(), a_day=3)
    with serving(Seen(trying(0), store), Access(None)) as url:
        page = text_of(httpx.get(f"{url}/candidate?window=30d").text)
        lines = text_of(httpx.get(f"{url}/decisions?window=30d").text)
    assert "it is only compared (a shadow)" in page
    assert "nothing was measured of it" in page
    assert re.search(r"candidate: \S", lines)
    store.close()


def test_without_a_candidate_it_says_what_to_do(store: Store) -> None:
    with serving(Seen(demo(), store), Access(None)) as url:
        page = text_of(httpx.get(f"{url}/candidate").text)
        assert "No table that is live names a candidate" in page
        assert "percent: 0" in page
        page = text_of(httpx.get(f"{url}/candidate?table=default").text)
        assert "The table default has no candidate" in page
    with serving(Seen(None, store), Access(None)) as url:
        assert httpx.get(f"{url}/candidate").status_code == 200
    with serving(Seen(trying(5), None), Access(None)) as url:
        page = text_of(httpx.get(f"{url}/candidate").text)
        assert "There is no ledger" in page
        assert "code, balanced" in page  # what it would change needs none
