"""What the stages take in (events) and what they ask for (steps)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prism.routing.feedback import Feedback


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """The request's headers, names in lower case, pseudo-headers included.

    ``complete`` says that no body follows.
    """

    headers: Mapping[str, str]
    complete: bool


@dataclass(frozen=True, slots=True)
class Proceed:
    """Go on; the next event decides. ``answer``: the stage must see the answer, too."""

    answer: bool = False


@dataclass(frozen=True, slots=True)
class AnswerHeaders:
    """The headers of a provider's answer, names in lower case. ``complete``: no body follows."""

    status: int
    headers: Mapping[str, str]
    complete: bool


@dataclass(frozen=True, slots=True)
class AnswerTaken:
    """What to do with an answer's headers, and how its body is to come: ``whole`` in one piece,
    else piece by piece."""

    set_headers: tuple[tuple[str, str], ...]
    remove_headers: tuple[str, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Classify:
    """Ask the classifier about ``text`` and come back with its answer, at most
    ``deadline_ms`` later."""

    text: str
    deadline_ms: float


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Change the request and send it on.

    ``body`` of ``None`` leaves the body. ``labels`` are what Envoy keeps with the request
    for response headers, the access log and further attempts. ``reroute`` has Envoy choose
    the route anew.
    """

    set_headers: tuple[tuple[str, str], ...]
    remove_headers: tuple[str, ...]
    body: bytes | None
    labels: Mapping[str, str]
    reroute: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer the client at once; no provider is called."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Submit:
    """Keep feedback, where its decision was made for ``project``, and come back with what became
    of it."""

    feedback: Feedback
    project: str | None


Step = Proceed | Classify | Rewrite | Reply | Submit
