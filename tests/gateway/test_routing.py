"""What the gateway is for: each task and mode to its model, seen from the real OpenAI client."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from prism.providers import SimulatedProviders

from . import config
from .running import Gateway, chat

PROMPTS = {
    "simple": "What is the capital of France?",
    "code": "Write a Python function that reverses a singly linked list, with type hints.",
    "reasoning": (
        "A train leaves at 9:40 and travels 210 km at 84 km/h, then waits 25 minutes and goes "
        "another 90 km at 60 km/h. At what time does it arrive? Show the steps of the proof."
    ),
    "complex": (
        "Write a detailed go-to-market strategy for a B2B startup entering the European market: "
        "segmentation, pricing, hiring plan for 18 months, risks, budget, and a quarterly roadmap "
        "with milestones. Compare three alternatives and recommend one."
    ),
}


def ask(client: openai.OpenAI, text: str, **more: Any) -> Any:
    return client.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": text}], **more
    )


@pytest.mark.parametrize("task", PROMPTS)
@pytest.mark.parametrize("mode", ["eco", "balanced", "sport"])
def test_task_and_mode_choose_the_model(client: openai.OpenAI, task: str, mode: str) -> None:
    answer = ask(client, PROMPTS[task], extra_headers={"X-Prism-Mode": mode})
    model = config.CELLS[task][mode][0]
    assert answer.headers["x-prism-task-type"] == task
    assert answer.headers["x-prism-mode"] == mode
    assert answer.headers["x-prism-model"] == model
    assert answer.headers["x-prism-provider"] == config.MODELS[model][0]
    assert answer.headers["x-prism-attempts"] == "1"
    assert answer.parse().model == config.upstream(model)


def test_the_kwarg_does_what_the_header_does(client: openai.OpenAI) -> None:
    answer = ask(client, PROMPTS["simple"], extra_body={"prism": {"mode": "sport"}})
    assert answer.headers["x-prism-model"] == "giant"


def test_the_header_beats_the_kwarg(client: openai.OpenAI) -> None:
    answer = ask(
        client,
        PROMPTS["simple"],
        extra_body={"prism": {"mode": "sport"}},
        extra_headers={"X-Prism-Mode": "eco"},
    )
    assert answer.headers["x-prism-mode"] == "eco"


@pytest.mark.parametrize(
    "more",
    [
        {"extra_headers": {"X-Prism-Model-Prefer": "thinker"}},
        {"extra_body": {"prism": {"model_prefer": "thinker"}}},
    ],
    ids=["header", "kwarg"],
)
def test_a_pin_is_kept(client: openai.OpenAI, more: dict[str, Any]) -> None:
    assert ask(client, PROMPTS["simple"], **more).headers["x-prism-model"] == "thinker"


def test_naming_a_model_asks_for_that_one(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="coder", messages=[{"role": "user", "content": PROMPTS["simple"]}]
    )
    assert answer.model == config.upstream("coder")


def test_a_quality_floor_takes_the_cheapest_above(client: openai.OpenAI) -> None:
    answer = ask(client, PROMPTS["simple"], extra_headers={"X-Prism-Min-Quality": "0.9"})
    assert answer.headers["x-prism-model"] == "giant"


@pytest.mark.parametrize("mode", ["eco", "balanced", "sport"])
@pytest.mark.parametrize("task", PROMPTS)
def test_an_eu_project_stays_in_the_eu(
    gateway: Gateway, providers: SimulatedProviders, task: str, mode: str
) -> None:
    with openai.OpenAI(base_url=gateway.base_url, api_key=config.EURO_KEY) as client:
        answer = ask(client, PROMPTS[task], extra_headers={"X-Prism-Mode": mode})
    assert answer.headers["x-prism-provider"] == "gamma"
    assert {request.provider for request in providers.requests} == {"gamma"}


def test_a_forced_model_answers(gateway: Gateway) -> None:
    with openai.OpenAI(base_url=gateway.base_url, api_key=config.FORCED_KEY) as client:
        assert ask(client, PROMPTS["simple"]).headers["x-prism-model"] == "euro"
        assert ask(client, PROMPTS["code"]).headers["x-prism-mode"] == "eco"


def test_the_models_list_is_what_the_caller_may_use(gateway: Gateway) -> None:
    def names(key: str) -> set[str]:
        with openai.OpenAI(base_url=gateway.base_url, api_key=key) as client:
            return {model.id for model in client.models.list()}

    assert names(config.CLIENT_KEY) == {"auto", *config.MODELS}
    assert names(config.FORCED_KEY) == {"auto", *config.MODELS} - {"giant"}
    # Its project may not pin, so naming a model would only be refused.
    assert names(config.EURO_KEY) == {"auto"}


def test_one_model_can_be_looked_up(client: openai.OpenAI) -> None:
    assert client.models.retrieve("mini").owned_by == "alpha"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")


def test_a_dry_run_calls_no_provider(http: httpx.Client, providers: SimulatedProviders) -> None:
    answer = http.post("/prism/route", json=chat(PROMPTS["code"], prism={"mode": "eco"})).json()
    assert answer["task"] == "code"
    assert answer["models"] == config.CELLS["code"]["eco"]
    assert any(reason["step"] == "cell" for reason in answer["reasons"])
    assert not providers.requests


def test_a_decision_meets_its_outcome(client: openai.OpenAI, gateway: Gateway) -> None:
    answer = ask(client, PROMPTS["simple"])
    usage = answer.parse().usage
    record = gateway.record(answer.headers["x-prism-decision-id"])
    outcome = record["outcome"]
    assert (outcome["status"], outcome["model"], outcome["attempts"]) == (200, "mini", 1)
    assert outcome["inputTokens"] == usage.prompt_tokens
    assert outcome["outputTokens"] == usage.completion_tokens
    assert PROMPTS["simple"] not in str(record)


def test_a_stream_s_usage_is_known_too(client: openai.OpenAI, gateway: Gateway) -> None:
    answer = ask(client, PROMPTS["simple"], stream=True, stream_options={"include_usage": True})
    usage = [chunk.usage for chunk in answer.parse() if chunk.usage][-1]
    outcome = gateway.record(answer.headers["x-prism-decision-id"])["outcome"]
    assert outcome["outputTokens"] == usage.completion_tokens
