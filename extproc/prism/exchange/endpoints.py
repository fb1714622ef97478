"""Which of the gateway's endpoints a request is for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from prism.routing.catalog import Api

API_ROOT = "/v1"
"""Where the OpenAI API lies at the gateway; clients use ``http://GATEWAY/v1`` as base URL."""

MESSAGES = API_ROOT + "/messages"
"""Anthropic's Messages at the gateway; all at and below it has that API's errors."""


class Kind(StrEnum):
    """What happens to a request."""

    CHAT = "chat"
    """Chat Completions: routed."""
    MESSAGES = "messages"
    """Anthropic's Messages: routed."""
    COUNT = "count"
    """How many tokens a request of that API has: routed among models that can tell."""
    RESPONSES = "responses"
    """OpenAI's Responses: routed among models that have them."""
    MODELS = "models"
    """The list of models, answered here."""
    MODEL = "model"
    """One model, answered here."""
    DRY_RUN = "route"
    """The decision and its reasons, answered here; no provider is called."""
    FEEDBACK = "feedback"
    """What somebody says of an answer, kept here."""
    OTHER = "other"
    """Any other path of the API: sent to the provider of the model that it names."""
    UNKNOWN = "unknown"


UNROUTED = (Kind.OTHER, Kind.RESPONSES)
"""What may name a model to pass through to, whatever the body is."""
SERVED = (
    "POST /v1/chat/completions, POST /v1/messages, POST /v1/responses, GET /v1/models, "
    "POST /v1/prism/route, POST /v1/prism/feedback and the other paths of the OpenAI API under /v1"
)
"""The endpoints in words, for errors."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``path`` is below the API's root, with the query: what a provider's base URL is put before.

    ``name`` is the model named by the path of ``Kind.MODEL``. ``methods`` are those that it
    takes; none means any. ``api`` is the one that the client speaks.
    """

    kind: Kind
    path: str
    name: str = ""
    methods: tuple[str, ...] = ()
    api: Api = Api.OPENAI


_GET = ("GET", "HEAD")
_POST = ("POST",)
_CHAT = Endpoint(Kind.CHAT, "/chat/completions", methods=_POST)
_ROUTED = {
    "/chat/completions": (Kind.CHAT, Api.OPENAI),
    "/messages": (Kind.MESSAGES, Api.ANTHROPIC),
    "/messages/count_tokens": (Kind.COUNT, Api.ANTHROPIC),
}


def api_of(path: str) -> Api:
    """The API that a client speaks, by the path below ``API_ROOT``."""
    first = path.partition("?")[0].split("/", 2)[1:2]
    return Api.ANTHROPIC if first == ["messages"] else Api.OPENAI


def endpoint_of(method: str, target: str) -> Endpoint:
    """The endpoint of a request line; ``target`` is the ``:path`` with its query."""
    if target == "/v1/chat/completions" and method == "POST":
        return _CHAT  # nearly every request
    path, _, _ = target.partition("?")
    if not path.startswith(API_ROOT + "/"):
        return Endpoint(Kind.UNKNOWN, target)
    below = target[len(API_ROOT) :]
    query = target[len(path) :]
    path = path[len(API_ROOT) :].rstrip("/")
    if _climbs(path):
        return Endpoint(Kind.UNKNOWN, target)
    if (routed := _ROUTED.get(path)) is not None:
        kind, api = routed
        # Without the trailing slash that the gateway forgives and providers may not.
        return Endpoint(kind, path + query, methods=_POST, api=api)
    if path == "/responses" and method == "POST":
        return Endpoint(Kind.RESPONSES, path + query)
    if path == "/models":
        return Endpoint(Kind.MODELS, below, methods=_GET)
    if path.startswith("/models/"):
        name = unquote(path[len("/models/") :])
        return Endpoint(Kind.MODEL, below, name, _GET)
    if path == "/prism/route":
        return Endpoint(Kind.DRY_RUN, below, methods=_POST)
    if path == "/prism/feedback":
        return Endpoint(Kind.FEEDBACK, below, methods=_POST)
    if path.startswith("/prism/") or not path:
        return Endpoint(Kind.UNKNOWN, target)
    return Endpoint(Kind.OTHER, below, api=api_of(path))


def _climbs(path: str) -> bool:
    """Whether some reader of the path could leave the base path that it is put behind."""
    if "%" not in path and ".." not in path and "\\" not in path:
        return False
    # Twice, for a provider that decodes what its proxy has decoded.
    plain = unquote(unquote(path)).replace("\\", "/")
    return ".." in plain.split("/")
