"""What the server keeps: recent decisions, keys, the last good configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.routing.decide import Health, decide
from prism.routing.identify import Caller
from prism.routing.plan import compile_plan
from prism.routing.record import Outcome, Record
from prism.serve.credentials import Credentials, missing, names_in
from prism.serve.folder import load
from prism.serve.recent import Recent
from prism.serve.snapshot_file import SnapshotFile
from prism.serve.source import BrokenConfiguration, Offer, Origin

from .tables import catalog, classified, signals

DEMO = Path(__file__).parents[2] / "examples" / "demo"


def record(decision_id: str) -> Record:
    made = catalog()
    plan = compile_plan(made)
    asked, found = signals(), classified()
    decision = decide(plan, Caller(None, plan.default_table), asked, found, Health())
    return Record(
        decision_id=decision_id,
        time=0.0,
        plan_version="v1",
        signals=asked,
        classification=found,
        health=Health(),
        race_allowed=False,
        decision=decision,
    )


OUTCOME = Outcome(200, "p", "m", 1, 1, 1, 0, 1.0, 2.0)


def test_the_newest_are_kept_and_the_oldest_go() -> None:
    recent = Recent(size=3)
    for name in "abcde":
        recent.add(record(name))
    assert [item.decision_id for item in recent.newest(10)] == ["e", "d", "c"]
    assert [item.decision_id for item in recent.newest(2)] == ["e", "d"]
    assert recent.newest(0) == []
    assert recent.get("a") is None
    assert recent.get("e") is not None


def test_an_outcome_meets_its_decision_or_is_counted_as_lost() -> None:
    recent = Recent(size=2)
    recent.add(record("a"))
    recent.add(record("b"))
    recent.join("a", OUTCOME)
    recent.join("never", OUTCOME)
    assert (recent.joined, recent.lost) == (1, 1)
    found = recent.get("a")
    assert found is not None
    assert found.outcome == OUTCOME
    assert [item.decision_id for item in recent.newest(9)] == ["b", "a"], "order is the decisions'"


def keys(folder: Path | None, environment: dict[str, str], *names: str) -> dict[str, str]:
    return Credentials(folder, environment).read(names)


def test_the_folder_comes_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("  from-folder\n")
    environment = {"a": "from-environment", "b": " b-key\n", "c": "c-key"}
    found = keys(tmp_path, environment, "a", "b", "missing")
    assert found == {"a": "from-folder", "b": "b-key"}
    assert keys(None, environment, "a") == {"a": "from-environment"}


def test_a_blank_file_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(" \n")
    (tmp_path / "b").write_text("")
    (tmp_path / "c").mkdir()
    assert keys(tmp_path, {"b": "b-key", "c": "c-key"}, "a", "b", "c") == {
        "b": "b-key",
        "c": "c-key",
    }


@pytest.mark.parametrize("value", ["a\nb", "a\r\nx-admin: 1", "a\x00b", "a\tb", "schlüssel"])
def test_a_key_that_could_break_a_header_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "a").write_text(value, "utf-8")
    assert keys(tmp_path, {"b": value}, "a", "b") == {}


def test_a_file_that_is_no_text_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe\x00")
    assert keys(tmp_path, {}, "a") == {}
    assert keys(tmp_path / "nowhere", {}, "a") == {}


def test_the_names_of_all_keys_of_a_catalog() -> None:
    assert names_in(catalog()) == ["acorn-key", "birch-key", "cedar-key"]


def test_a_key_that_is_not_there_is_told_of_with_its_first_place() -> None:
    known = dict.fromkeys(("acorn-key", "cedar-key"), "secret")
    (problem,) = missing(catalog(), known)
    assert not problem.is_error
    assert str(problem) == (
        "RoutingTable/main: warning: spec.providers[1].credentials[0].key: "
        "no key birch-key for provider birch: its models are not used"
    )
    assert list(missing(catalog(), {**known, "birch-key": "secret"})) == []


def kept_in(path: Path) -> SnapshotFile:
    return SnapshotFile(path, Origin.LAST_GOOD)


def test_the_last_good_configuration_comes_back(tmp_path: Path) -> None:
    offer = load(DEMO)
    kept = kept_in(tmp_path / "state" / "last-good")
    assert kept.load() is None
    assert kept.written() == 0
    kept.save(offer)
    again = kept.load()
    assert again is not None
    assert (again.catalog, again.origin) == (offer.catalog, Origin.LAST_GOOD)
    assert kept.written() > 0
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["last-good"]


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"x" * 1000])
def test_a_damaged_file_is_no_configuration(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "last-good").write_bytes(data)
    assert kept_in(tmp_path / "last-good").load() is None
    assert f"the last good in {tmp_path / 'last-good'} can't be used" in caplog.text


def test_where_nothing_can_be_written_serving_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A file stands where the folder would have to be: so it is for root, too.
    (tmp_path / "file").write_text("")
    kept = kept_in(tmp_path / "file" / "last-good")
    kept.save(load(DEMO))
    assert "can't be kept" in caplog.text
    assert kept.load() is None


def test_a_broken_save_leaves_what_was_kept(tmp_path: Path) -> None:
    offer = load(DEMO)
    kept = kept_in(tmp_path / "last-good")
    kept.save(offer)
    (tmp_path / "last-good.new").mkdir()
    kept.save(Offer(Origin.FOLDER, offer.catalog, []))
    again = kept.load()
    assert again is not None
    assert again.catalog == offer.catalog


def test_a_broken_folder_is_refused_with_its_problems(tmp_path: Path) -> None:
    (tmp_path / "table.yaml").write_text("kind: RoutingTabel\n")
    with pytest.raises(BrokenConfiguration) as caught:
        load(tmp_path)
    assert any("table.yaml" in str(problem) for problem in caught.value.problems)
