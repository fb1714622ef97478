"""Which of the gateway's endpoints a request is for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

API_ROOT = "/v1"
"""Where the OpenAI API lies at the gateway; clients use ``http://GATEWAY/v1`` as base URL."""


class Kind(StrEnum):
    """What happens to a request."""

    CHAT = "chat"
    """Chat Completions: routed."""
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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``path`` is below the API's root, with the query: what a provider's base URL is put before.

    ``name`` is the model named by the path of ``Kind.MODEL``. ``methods`` are those that it
    takes; none means any.
    """

    kind: Kind
    path: str
    name: str = ""
    methods: tuple[str, ...] = ()


_GET = ("GET", "HEAD")
_POST = ("POST",)
_CHAT = Endpoint(Kind.CHAT, "/chat/completions", methods=_POST)


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
    if path == "/chat/completions":
        # Without the trailing slash that the gateway forgives and providers may not.
        return Endpoint(Kind.CHAT, path + query, methods=_POST)
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
    return Endpoint(Kind.OTHER, below)


def _climbs(path: str) -> bool:
    """Whether some reader of the path could leave the base path that it is put behind."""
    if "%" not in path and ".." not in path and "\\" not in path:
        return False
    # Twice, for a provider that decodes what its proxy has decoded.
    plain = unquote(unquote(path)).replace("\\", "/")
    return ".." in plain.split("/")
