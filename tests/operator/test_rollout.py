"""Which replica runs what."""

from __future__ import annotations

from prism_operator.rollout import Reach, Rollout


def rolled(*versions: str) -> Rollout:
    """A rollout in which each version changed the generation of ``a`` and left ``b`` alone."""
    rollout = Rollout()
    for version in versions:
        rollout.publish(version, {"a": f"a-{version}", "b": "b-1"})
    return rollout


def test_a_version_is_programmed_where_a_replica_runs_a_snapshot_that_holds_it() -> None:
    rollout = rolled("v1")
    rollout.connect(1, "gw-0", "")
    assert rollout.reach("a", "a-v1") == Reach(0, 1, (), ("gw-0",))
    rollout.answer(1, "v1", "")
    assert rollout.reach("a", "a-v1") == Reach(1, 1)
    rollout.publish("v2", {"a": "a-v2", "b": "b-1"})
    assert rollout.reach("a", "a-v2") == Reach(0, 1, (), ("gw-0",))
    assert rollout.reach("b", "b-1") == Reach(1, 1), "it did not change, so it is live"


def test_a_refusal_concerns_only_what_changed() -> None:
    rollout = rolled("v1")
    rollout.connect(1, "gw-0", "v1")
    rollout.publish("v2", {"a": "a-v2", "b": "b-1"})
    rollout.answer(1, "v2", "no room")
    assert rollout.reach("a", "a-v2") == Reach(0, 1, (("gw-0", "no room"),))
    assert rollout.reach("b", "b-1") == Reach(1, 1)
    rollout.publish("v3", {"a": "a-v3", "b": "b-1"})
    assert rollout.reach("a", "a-v3") == Reach(0, 1, (), ("gw-0",)), "it was not asked yet"


def test_a_replica_that_runs_an_unknown_snapshot_runs_nothing_we_know_of() -> None:
    rollout = rolled("v1")
    rollout.connect(1, "gw-0", "of-long-ago")
    assert rollout.reach("b", "b-1") == Reach(0, 1, (), ("gw-0",))


def test_a_replica_that_comes_again_is_counted_once() -> None:
    rollout = rolled("v1")
    rollout.connect(1, "gw-0", "v1")
    rollout.connect(2, "gw-0", "v1")
    assert rollout.reach("b", "b-1") == Reach(1, 1)
    rollout.disconnect(1)
    assert rollout.reach("b", "b-1") == Reach(1, 1)
    rollout.disconnect(2)
    assert rollout.reach("b", "b-1") == Reach(0, 0)


def test_only_snapshots_that_someone_runs_are_remembered() -> None:
    rollout = rolled("v1")
    rollout.connect(1, "gw-0", "v1")
    for number in range(100):
        rollout.publish(f"w{number}", {"a": str(number)})
    assert len(rollout._contents) == 2
