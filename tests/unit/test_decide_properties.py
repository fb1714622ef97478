"""What holds for every reachable input, whatever the policy, the request and the health."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from prism.routing.bounds import Limits, Racing, Retry, RetryBudget, Wait
from prism.routing.catalog import Capability, Forced, Mode, Policy, Table, Task
from prism.routing.decide import Health, decide
from prism.routing.decision import Decision, Step
from prism.routing.identify import Caller
from prism.routing.plan import Plan, compile_plan
from prism.routing.record import Outcome, Record, replay
from prism.routing.signals import Classification, Signals
from prism.routing.sticking import UP, Held

from .tables import MODELS, catalog, policy, table

NAMES = [m.name for m in MODELS]
names = st.sampled_from(NAMES)
name_sets = st.frozensets(names)
tasks, modes = st.sampled_from(Task), st.sampled_from(Mode)


def bounds(top: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(0, top)


limits = st.builds(Limits, bounds(0.2), bounds(1), bounds(40_000))
policies = st.builds(
    policy,
    default_mode=st.none() | modes,
    allowed_models=st.none() | name_sets,
    denied_models=name_sets,
    forced=st.lists(st.builds(Forced, tasks, st.none() | modes, names), max_size=4).map(tuple),
    allowed_regions=st.none() | st.frozensets(st.sampled_from(["eu", "us"])),
    allow_pins=st.booleans(),
    allow_racing=st.booleans(),
    limits=st.just(Limits()) | limits,
)
# One list for each mode; the task matters to a policy's forced models and to expected output.
cells = st.tuples(*[st.lists(names, min_size=1, max_size=6).map(tuple) for _ in Mode]).map(
    lambda lists: {(task, mode): lists[i] for task in Task for i, mode in enumerate(Mode)}
)
tables = st.builds(
    table,
    cells=cells,
    retry=st.builds(
        Retry, st.integers(1, 4), st.just(30.0), st.just(60.0), st.just(RetryBudget(20, 20))
    ),
    racing=st.builds(
        Racing, st.frozensets(modes), st.just(Wait.FIXED), st.just(50), st.just(1.0), st.none()
    ),
)
requests = st.builds(
    Signals,
    model=st.sampled_from(["auto", "auto", "auto", "nope", *NAMES]),
    pin=st.none() | st.sampled_from(["auto", "nope", *NAMES]),
    mode=st.none() | modes,
    limits=st.just(Limits()) | limits,
    needs=st.frozensets(st.sampled_from(Capability)),
    input_tokens=st.integers(0, 10**6) | st.integers(0, 5000),
    max_output_tokens=st.none() | st.integers(1, 10**5),
    stream=st.booleans(),
    conversation=st.none() | st.just("0123456789abcdef"),
    tools_at_work=st.booleans(),
    sealed=st.booleans(),
)
classifications = st.none() | st.builds(
    Classification, tasks, st.floats(0, 1), st.just(dict.fromkeys(Task, 0.25))
)
# What a run of `decide` is made of.
cases = st.fixed_dictionaries(
    {
        "table": tables,
        "policy": st.none() | policies,
        "signals": requests,
        "classification": classifications,
        "health": st.builds(Health, name_sets, st.just({}), name_sets),
        "degraded": st.none() | st.just("deadline of 20 ms passed"),
        "race_allowed": st.booleans(),
        "retry_allowed": st.booleans(),
        "held": st.none() | st.builds(Held, st.just("gone") | names, modes, st.floats(0, 1000)),
    }
)


def run(case: dict[str, Any]) -> tuple[Plan, Decision]:
    held: Policy | None = case["policy"]
    tab: Table = case["table"]
    plan = compile_plan(catalog(*([held] if held else []), tables=(tab,)))
    inputs = (case["signals"], case["classification"], case["health"])
    decision = decide(
        plan,
        Caller(held, tab),
        *inputs,
        degraded=case["degraded"],
        race_allowed=case["race_allowed"],
        retry_allowed=case["retry_allowed"],
        held=case["held"],
    )
    return plan, decision


@settings(max_examples=600)  # of the usual 100 few reach a cell under a policy with regions
@given(cases)
def test_no_denied_out_of_region_or_incapable_model_is_ever_chosen(case: dict[str, Any]) -> None:
    _, decision = run(case)
    held, tab, asked = case["policy"], case["table"], case["signals"]
    for name in decision.models:
        model = tab.models[name]
        assert asked.needs <= model.capabilities
        assert asked.input_tokens + (asked.max_output_tokens or 0) <= model.context_length
        if held is not None:
            assert name not in held.denied_models
            assert held.allowed_models is None or name in held.allowed_models
            region = tab.providers[model.provider].region
            assert held.allowed_regions is None or region in held.allowed_regions


@given(cases)
def test_limits_hold_for_every_model_of_a_decision(case: dict[str, Any]) -> None:
    _, decision = run(case)
    held, tab, asked = case["policy"], case["table"], case["signals"]
    expected = min(tab.expected_output_tokens[decision.task], asked.max_output_tokens or 10**9)
    for model in (tab.models[name] for name in decision.models):
        # Written out, not called: an oracle of its own.
        cost = (asked.input_tokens * model.price.input + expected * model.price.output) / 1e6
        latency = model.latency.time_to_first_token_ms + expected * 10
        for bound in (asked.limits, *([held.limits] if held else [])):
            assert bound.max_cost is None or cost <= bound.max_cost * (1 + 1e-9)
            assert bound.min_quality is None or model.quality[decision.task] >= bound.min_quality
            assert bound.max_latency_ms is None or latency <= bound.max_latency_ms * (1 + 1e-9)


@given(cases)
def test_a_decision_is_well_formed(case: dict[str, Any]) -> None:
    _, decision = run(case)
    models = decision.models
    assert (decision.refusal is None) == bool(models) == (decision.estimate is not None)
    assert len(models) == len(set(models)) <= case["table"].retry.max_attempts
    last = case["health"].failing
    if not case["retry_allowed"]:
        assert not decision.race
        last |= case["health"].probed
    failing = [name in last for name in models]
    assert failing == sorted(failing)
    if decision.race:
        first, second = (case["table"].models[name] for name in models[:2])
        assert case["race_allowed"]
        assert first.provider != second.provider
    if decision.refusal is not None and decision.refusal.message.startswith("No model"):
        assert len(decision.refusal.message.splitlines()) == 1 + len(case["table"].models)


@given(cases)
def test_every_model_of_the_cell_is_tried_or_has_a_reason(case: dict[str, Any]) -> None:
    _, decision = run(case)
    texts = " ".join(reason.text for reason in decision.reasons)
    steps = {reason.step for reason in decision.reasons}
    if decision.refusal is None and not steps & {Step.FORCED, Step.PIN}:
        about = {reason.model for reason in decision.reasons if reason.model}
        for name in case["table"].cells[decision.task, decision.mode]:
            assert name in decision.models or name in about or name in texts


@given(cases)
def test_a_refused_model_stays_refused_when_health_changes(case: dict[str, Any]) -> None:
    _, decision = run(case)
    _, well = run({**case, "health": Health()})
    assert decision.refusal == well.refusal


@given(cases)
def test_while_tools_are_at_work_nothing_goes_down_or_races(case: dict[str, Any]) -> None:
    _, decision = run(case)
    said = [reason for reason in decision.reasons if reason.step is Step.CONVERSATION]
    if not said or "may change" in said[0].text or not case["signals"].tools_at_work:
        return
    tab, held = case["table"], case["held"]
    before, first = tab.models[held.model], tab.models[decision.models[0]]
    if case["signals"].sealed:
        assert {tab.models[name].provider for name in decision.models} == {before.provider}
    else:
        assert not decision.race
        gain = first.quality[decision.task] - before.quality[decision.task]
        assert first == before or gain >= UP


outcomes = st.builds(
    Outcome,
    status=st.none() | st.integers(200, 599),
    provider=st.none() | st.just("acorn"),
    model=st.none() | names,
    attempts=st.none() | st.integers(1, 4),
    input_tokens=st.none() | st.integers(0, 10**6),
    first_byte_ms=st.none() | st.floats(0, 1e6),
    note=st.none() | st.just("retry budget spent"),
)


@given(cases, st.none() | outcomes)
def test_a_record_survives_json_and_replays_to_the_same_decision(
    case: dict[str, Any], outcome: Outcome | None
) -> None:
    plan, decision = run(case)
    record = Record(
        decision_id="d-1",
        time=1760000000.25,
        plan_version=plan.version,
        signals=case["signals"],
        classification=case["classification"],
        health=case["health"],
        race_allowed=case["race_allowed"],
        decision=decision,
        outcome=outcome,
        retry_allowed=case["retry_allowed"],
        held=case["held"],
    )
    read = Record.from_json_dict(json.loads(json.dumps(record.to_json_dict())))
    assert read == record
    assert replay(plan, read) == decision == run(case)[1]
