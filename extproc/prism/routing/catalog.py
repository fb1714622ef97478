"""What a RoutingTable and a ProjectPolicy say, as frozen values.

These are the compiled form of the two custom resources (``prism.resources`` makes them
from YAML). Every default lives in the resource schema, none here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from prism.routing.bounds import Budget, Limits, Racing, Retry
from prism.routing.candidate_table import CandidateTable


class Task(StrEnum):
    """What kind of work a request asks for; the classifier's four classes."""

    SIMPLE = "simple"
    CODE = "code"
    REASONING = "reasoning"
    COMPLEX = "complex"


class Mode(StrEnum):
    """How a caller weighs cost against quality."""

    ECO = "eco"
    BALANCED = "balanced"
    SPORT = "sport"


class Api(StrEnum):
    """The API that a provider speaks."""

    OPENAI = "OpenAI"
    ANTHROPIC = "Anthropic"


class Capability(StrEnum):
    """What a model can do beyond text in, text out."""

    TOOLS = "tools"
    VISION = "vision"
    JSON_SCHEMA = "jsonSchema"
    RESPONSES = "responses"
    """Its provider serves it by OpenAI's Responses API, too."""


class FailureMode(StrEnum):
    """What Envoy does with a request while Prism cannot be asked."""

    OPEN = "Open"
    CLOSED = "Closed"


TASKS: tuple[Task, ...] = tuple(Task)
MODES: tuple[Mode, ...] = tuple(Mode)


@dataclass(frozen=True, slots=True)
class Credential:
    """One key of a provider: the name of an entry of the credentials folder or Secret."""

    key: str
    weight: int


@dataclass(frozen=True, slots=True)
class Provider:
    """A service that answers for models.

    ``base_url`` has scheme, host and the path under which the API lives, without a
    trailing slash (``https://api.openai.com/v1``). ``credentials`` empty: no key is sent.
    """

    name: str
    base_url: str
    api: Api
    region: str
    credentials: tuple[Credential, ...]


@dataclass(frozen=True, slots=True)
class Price:
    """List price in US dollars per million tokens. ``cache_write`` is for tokens that the
    provider puts into its cache."""

    input: float
    output: float
    cached_input: float
    cache_write: float


@dataclass(frozen=True, slots=True)
class Latency:
    """What to expect of a model: milliseconds to the first token, then tokens a second."""

    time_to_first_token_ms: float
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Model:
    """A model as clients name it (``name``) and as its provider does (``upstream_name``).

    ``quality`` is 0 to 1 per task. ``context_length`` is in tokens, prompt and answer
    together. For ``cache_ttl_s`` seconds its provider is taken to have a prompt in its cache.
    """

    name: str
    provider: str
    upstream_name: str
    price: Price
    quality: Mapping[Task, float]
    latency: Latency
    context_length: int
    capabilities: frozenset[Capability]
    cache_ttl_s: float


ABSTAINS_ON = frozenset({Task.SIMPLE})
"""Where a table does not say: only an answer of simple can send hard work to a weak model."""


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """An answer that is one of ``abstain_on`` and has less than ``abstain_below`` confidence is
    not taken, and the safe task's cell is used; so it is after ``deadline_ms`` without an answer.
    """

    abstain_below: float
    abstain_on: frozenset[Task]
    deadline_ms: float
    safe_task: Task


@dataclass(frozen=True, slots=True)
class Predictor:
    """Corrects the qualities of models for a prompt: ``weights`` of each model, for the numbers
    that the classifier's last layer reads, and one more that is added.

    ``classifier`` is the SHA-256 of the model file that it was fitted with, ``digest`` its own.
    ``trade`` is the quality (0 to 1) that a mode gives up to save the whole cost of the
    dearest candidate.
    """

    digest: str
    classifier: str
    trade: Mapping[Mode, float]
    weights: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """A compiled RoutingTable.

    ``cells`` has an entry for every (task, mode), each an ordered, non-empty tuple of
    model names. ``auto_names`` are the values of a request's ``model`` that mean "choose
    for me". ``project_header`` is the trusted header (lower case) that names the project,
    or ``None``. ``expected_output_tokens`` is what an answer to each task tends to need.
    """

    name: str
    generation: str
    default_mode: Mode
    auto_names: frozenset[str]
    providers: Mapping[str, Provider]
    models: Mapping[str, Model]
    cells: Mapping[tuple[Task, Mode], tuple[str, ...]]
    expected_output_tokens: Mapping[Task, int]
    classifier: ClassifierSettings
    project_header: str | None
    require_api_key: bool
    failure_mode: FailureMode
    retry: Retry
    racing: Racing
    predictor: Predictor | None = None
    candidate: CandidateTable | None = None


@dataclass(frozen=True, slots=True)
class Forced:
    """Policy sends ``task`` (in ``mode``, or in every mode when ``None``) to ``model``."""

    task: Task
    mode: Mode | None
    model: str


class Prompts(StrEnum):
    """What is kept of a project's prompts."""

    NOT_KEPT = "NotKept"
    REDACTED = "Redacted"
    ENCRYPTED = "Encrypted"


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled ProjectPolicy.

    ``allowed_models`` and ``allowed_regions`` are ``None`` when nothing is ruled out.
    ``key_hashes`` are lower-case SHA-256 hex digests of the project's API keys.
    ``default_mode`` of ``None`` takes the table's. ``anonymous`` policies hold for requests
    without a key that go to ``table``.
    """

    name: str
    project: str
    table: str
    key_hashes: frozenset[str]
    default_mode: Mode | None
    allowed_models: frozenset[str] | None
    denied_models: frozenset[str]
    forced: tuple[Forced, ...]
    allowed_regions: frozenset[str] | None
    allow_pins: bool
    allow_racing: bool
    limits: Limits
    anonymous: bool
    budgets: tuple[Budget, ...] = ()
    prompts: Prompts = Prompts.NOT_KEPT


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every table and policy that is live together.

    ``default_table`` names the table of requests whose policy names none, and of requests
    without a policy. ``version`` is a short hash over every resource's kind, name and
    generation.
    """

    tables: Mapping[str, Table]
    policies: tuple[Policy, ...]
    default_table: str
    version: str
