"""What a calibration may be told: tolerances, typical lengths, which columns say what.

Every default of a calibration is here. A settings file is YAML with the same names in
camelCase; an unknown name or a wrong type is refused with its path.
"""

from __future__ import annotations

import math

import msgspec

from prism.routing.catalog import TASKS, Task


class Broken(ValueError):
    """An input that cannot be used; the message names the file, the place and the value."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A part of the settings: unknown names are refused."""


class Tolerances(_Section, frozen=True):
    """The share of the best quality (0 to 1) that a mode may give up.

    eco and balanced take the cheapest model within it, sport the fastest. A large cloud's
    router names 5 to 6 % and 1 to 2 %; sport gives up nothing.
    """

    eco: float = 0.06
    balanced: float = 0.02
    sport: float = 0.0


class PerTask(_Section, frozen=True):
    """A number of tokens for each task."""

    simple: int
    code: int
    reasoning: int
    complex: int

    def of(self, task: Task) -> int:
        """The number for ``task``."""
        return int(getattr(self, task))


class ModelColumns(_Section, frozen=True):
    """How a file of aggregated rows is read: the column of each number.

    ``where`` keeps rows whose columns have these values. ``quality`` names the column of each
    task, ``scale`` what a perfect quality is there. Seconds and tokens are those of one whole
    answer. A ``..._row`` column says under which name the source has the model.
    """

    quality: dict[str, str]
    scale: float = 100.0
    model: str = "model"
    where: dict[str, str] = msgspec.field(default_factory=dict)
    quality_row: str = ""
    quality_source: str = ""
    quality_date: str = ""
    seconds: str = ""
    answer_tokens: str = ""
    seconds_row: str = ""
    seconds_source: str = ""
    seconds_date: str = ""
    measured_cost: str = ""
    input_price: str = ""
    output_price: str = ""
    price_source: str = ""
    price_date: str = ""


class OutcomeColumns(_Section, frozen=True):
    """The columns of a file of outcomes. ``task``, ``cost`` and ``latency`` may be missing."""

    prompt: str = "prompt"
    model: str = "model"
    score: str = "score"
    task: str = "task"
    cost: str = "cost"
    latency: str = "latency"


class Settings(_Section, frozen=True):
    """All of it.

    ``length`` is how many models a cell names. A model with fewer than ``min_samples`` graded
    answers to a task is not chosen for it. ``input_tokens`` is the length of a usual prompt,
    by which models are compared in cost (the answer's is the table's expectedOutputTokens).
    ``writing_speed`` is the tokens a second that a model is taken to write with, where only
    the time of a whole answer was measured.
    """

    tolerances: Tolerances = Tolerances()
    length: int = 3
    min_samples: int = 30
    input_tokens: PerTask = PerTask(simple=200, code=800, reasoning=400, complex=800)
    writing_speed: float = 80.0
    models: ModelColumns | None = None
    outcomes: OutcomeColumns = OutcomeColumns()


def read_settings(text: bytes, file: str) -> Settings:
    """The settings of a YAML text. Raises ``Broken`` for what is not as it should be."""
    try:
        settings = msgspec.yaml.decode(text, type=Settings)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"{file}: {error}") from None
    for name in ("eco", "balanced", "sport"):
        value = getattr(settings.tolerances, name)
        if not 0 <= value < 1:
            raise Broken(f"{file}: tolerances.{name} is {value:g}, but must be from 0 to below 1")
    if not 1 <= settings.length <= 5:
        raise Broken(f"{file}: length is {settings.length}, but a cell has 1 to 5 models")
    if settings.min_samples < 1 or not 0 < settings.writing_speed < math.inf:
        raise Broken(f"{file}: minSamples and writingSpeed must be above 0")
    if min(settings.input_tokens.of(task) for task in TASKS) < 1:
        raise Broken(f"{file}: inputTokens must be above 0")
    if settings.models is not None and not 0 < settings.models.scale < math.inf:
        raise Broken(f"{file}: models.scale must be above 0")
    _check_tasks(settings.models, file)
    return settings


def _check_tasks(columns: ModelColumns | None, file: str) -> None:
    if columns is not None and (wrong := set(columns.quality) ^ set(TASKS)):
        names = ", ".join(sorted(wrong))
        raise Broken(f"{file}: models.quality must name one column per task; wrong: {names}")
