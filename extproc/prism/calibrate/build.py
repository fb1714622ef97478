"""A table without numbers, and numbers: together a RoutingTable and what led to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from prism.calibrate.answers import Answers
from prism.calibrate.choose import Choice, Point, choose
from prism.calibrate.measured import Listed, Measured, Origin, Speed
from prism.calibrate.predictor import Predicted, predictor
from prism.calibrate.quality import Quality, qualities
from prism.calibrate.settings import Broken, Settings
from prism.resources import ROUTING_TABLE, has_errors, read_document, to_table
from prism.resources.schema import at
from prism.resources.text import documents
from prism.routing.catalog import MODES, TASKS, Latency, Mode, Model, Price, Table, Task
from prism.routing.cost import cost_usd, latency_ms
from prism.routing.signals import Classification

_WRITING_SHARE = 0.8
"""The most of an answer's time that goes into writing it; the rest is waiting for it."""
_GIVEN = Origin("the table that was given")


@dataclass(frozen=True, slots=True)
class Calibrated:
    """``document`` is the RoutingTable, ``table`` the same, compiled. ``points`` has every
    model at every task. ``predicted`` is the predictor, where one was asked for."""

    document: Mapping[str, Any]
    table: Table
    points: Mapping[Task, tuple[Point, ...]]
    choices: tuple[Choice, ...]
    measured: Mapping[str, Measured]
    prices: Mapping[str, Listed]
    settings: Settings
    predicted: Predicted | None = None

    def choice(self, task: Task, mode: Mode) -> Choice:
        """The cell of ``task`` and ``mode``."""
        return next(c for c in self.choices if (c.task, c.mode) == (task, mode))


def read_base(text: bytes, file: str) -> dict[str, Any]:
    """The one RoutingTable of a YAML text; numbers and cells may be missing. Raises ``Broken``."""
    built, problems = documents(text, file)
    said = [str(problem) for problem in problems]
    said += [f"{file}: {finding.message}" for doc in built for finding in doc.findings]
    if said:
        raise Broken("\n".join(said))
    found = [doc.value for doc in built if _kind(doc.value) == ROUTING_TABLE]
    if len(found) != 1:
        raise Broken(f"{file}: has {len(found)} RoutingTables, but must have one")
    spec = found[0].get("spec")
    models = spec.get("models") if isinstance(spec, dict) else None
    if not isinstance(models, list) or not all(isinstance(m, dict) and "name" in m for m in models):
        raise Broken(f"{file}: spec.models must be a list of models with names")
    document: dict[str, Any] = found[0]
    return document


def answer_tokens(base: Mapping[str, Any]) -> dict[Task, int]:
    """What an answer to each task tends to need, by ``base`` or by the schema's defaults."""
    given = base["spec"].get("expectedOutputTokens")
    fields = at(ROUTING_TABLE, ("expectedOutputTokens",))["properties"]
    said = given if isinstance(given, dict) else {}
    # What is no number is told of when the table is read.
    numbers = {task: said[task] for task in TASKS if isinstance(said.get(task), int)}
    return {task: numbers.get(task) or fields[task]["default"] for task in TASKS}


def abstaining(base: Mapping[str, Any]) -> Callable[[Classification], Task]:
    """The task that requests are routed by under ``base``, or the schema's defaults: what the
    classifier says, or the safe task where that is not trusted."""
    given = base["spec"].get("classifier")
    fields = at(ROUTING_TABLE, ("classifier",))["properties"]
    said = given if isinstance(given, dict) else {}
    names = ("abstainBelow", "abstainOn", "safeTask")
    values = [said.get(name, fields[name]["default"]) for name in names]
    try:
        below, on, safe = float(values[0]), frozenset(map(Task, values[1])), Task(values[2])
    except (TypeError, ValueError):
        raise Broken(f"spec.classifier is not one: {given}") from None
    return lambda found: safe if found.unsure(below, on) else found.task


def _kind(value: Any) -> Any:
    return value.get("kind") if isinstance(value, dict) else None


def calibrate(
    base: Mapping[str, Any],
    measured: Sequence[Measured],
    prices: Mapping[str, Listed],
    settings: Settings,
    answers: Answers | None = None,
    known: Mapping[tuple[str, Task], Quality] | None = None,
) -> Calibrated:
    """Fills quality, price, latency and cells of ``base``, a RoutingTable that may lack them.

    The models are those of ``base``; each must have been measured. A price is taken from
    ``prices``, else from ``base``, else from the measurements. A latency that ``base`` has
    stays where no speed was measured. ``known`` are the qualities, where they are not those of
    ``measured``. With ``answers`` (of the models of ``base``) the table
    gets a predictor. Raises ``Broken`` for a model without a number that it
    needs, and with every problem of the table that comes of it.
    """
    by_name = {m.model: m for m in measured}
    items = base["spec"]["models"]
    models = [_known(item, by_name) for item in items]
    try:
        found = qualities(models) if known is None else known
    except ValueError as error:
        raise Broken(str(error)) from None
    listed = {item["name"]: _price(item, by_name[item["name"]], prices) for item in items}
    filled = [
        _filled(item, found, listed[item["name"]].price, by_name[item["name"]], settings)
        for item in items
    ]
    # Any cell will do until the table can be asked what a request costs.
    draft = _document(base, filled, {key: [items[0]["name"]] for key in _KEYS})
    table = _compiled(draft)
    points = {task: _points(table, task, found, by_name, settings) for task in TASKS}
    choices = tuple(c for task in TASKS for c in choose(task, points[task], settings))
    found_predictor, extra = None, {}
    if answers is not None:
        found_predictor, choices = predictor(answers, points, choices, settings)
        extra = {"predictor": found_predictor.spec()}
    document = _document(base, filled, {(c.task, c.mode): list(c.names) for c in choices}, extra)
    kept = {model.model: model for model in models}
    table = _compiled(document)
    return Calibrated(document, table, points, choices, kept, listed, settings, found_predictor)


_KEYS = tuple((task, mode) for task in TASKS for mode in MODES)


def _known(item: Mapping[str, Any], measured: Mapping[str, Measured]) -> Measured:
    if (found := measured.get(item["name"])) is None:
        raise Broken(f"the model {item['name']!r} of the table was not measured")
    return found


def _price(item: Mapping[str, Any], measured: Measured, prices: Mapping[str, Listed]) -> Listed:
    if found := prices.get(item["name"]):
        return found
    if "price" in item:
        return Listed(_given_price(item), _GIVEN)
    if measured.price is None:
        raise Broken(f"no price of the model {item['name']!r}")
    return measured.price


def _given_price(item: Mapping[str, Any]) -> Price:
    given = item["price"]
    try:
        prompt = float(given["inputPerMillion"])
        cached = float(given.get("cachedInputPerMillion", prompt))
        written = float(given.get("cacheWritePerMillion", prompt))
        return Price(prompt, float(given["outputPerMillion"]), cached, written)
    except (TypeError, ValueError, KeyError, AttributeError):
        raise Broken(f"the table's price of {item['name']!r} is not one: {given}") from None


def _filled(
    item: Mapping[str, Any],
    found: Mapping[tuple[str, Task], Quality],
    price: Price,
    measured: Measured,
    settings: Settings,
) -> dict[str, Any]:
    """``item`` with its numbers."""
    numbers = {"inputPerMillion": price.input, "outputPerMillion": price.output}
    if price.cached_input != price.input:
        numbers["cachedInputPerMillion"] = price.cached_input
    if price.cache_write != price.input:
        numbers["cacheWritePerMillion"] = price.cache_write
    filled = {
        **item,
        "price": numbers,
        "quality": {str(task): found[item["name"], task].value for task in TASKS},
    }
    if measured.speed is not None:
        latency = latency_of(measured.speed, settings.writing_speed)
        filled["latency"] = {
            "timeToFirstTokenMs": latency.time_to_first_token_ms,
            "tokensPerSecond": latency.tokens_per_second,
        }
    return filled


def latency_of(speed: Speed, writing_speed: float) -> Latency:
    """The table's two numbers from the time of whole answers: ``latency_ms`` of an answer of
    ``speed.tokens`` gives it back. A model writes with ``writing_speed``, or faster where the
    time would not suffice; what is left is the wait for the first token, hidden thought
    included."""
    rate = max(writing_speed, round(speed.tokens / (speed.seconds * _WRITING_SHARE), 1))
    return Latency(float(round(1000 * (speed.seconds - speed.tokens / rate))), rate)


def _document(
    base: Mapping[str, Any],
    models: Sequence[Mapping[str, Any]],
    names: Mapping[tuple[Task, Mode], list[str]],
    extra: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    cells = {str(task): {str(mode): names[task, mode] for mode in MODES} for task in TASKS}
    # A predictor of before was fitted to other qualities.
    spec = {name: value for name, value in base["spec"].items() if name != "predictor"}
    return {**base, "spec": {**spec, "models": list(models), "cells": cells, **extra}}


def _compiled(document: Mapping[str, Any]) -> Table:
    resource, problems = read_document(document)
    if resource is None or has_errors(problems):
        raise Broken("\n".join(str(problem) for problem in problems if problem.is_error))
    return to_table(resource)


def _points(
    table: Table,
    task: Task,
    found: Mapping[tuple[str, Task], Quality],
    measured: Mapping[str, Measured],
    settings: Settings,
) -> tuple[Point, ...]:
    tokens = settings.input_tokens.of(task), table.expected_output_tokens[task]

    def cost(model: Model) -> float:
        said = measured[model.name].cost.get(task)
        return cost_usd(model.price, *tokens) if said is None else said

    return tuple(
        Point(
            model.name,
            model.provider,
            found[model.name, task],
            cost(model),
            latency_ms(model.latency, tokens[1]) / 1000,
        )
        for model in table.models.values()
    )
