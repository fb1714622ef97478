"""From a decision to the request that goes out: headers, path and the few bytes of the body."""

from __future__ import annotations

from collections.abc import Sequence

from prism.exchange import headers as names
from prism.exchange.endpoints import API_ROOT
from prism.exchange.steps import Rewrite
from prism.exchange.targets import KEY_HEADERS, NONE_RESTS, Key, Resting, Target
from prism.exchange.translation import OWN_HEADERS, PATHS, VERSION, other
from prism.prompt.document import Document, edit
from prism.routing.bounds import Retry
from prism.routing.catalog import Api
from prism.routing.decision import Decision
from prism.routing.racing import Race

# The client's key is for the gateway; no provider may see it.
_CLIENT_KEYS: tuple[str, ...] = ("authorization", "api-key", "x-api-key")
_OTHER_KEYS = {
    api: tuple([name for name in _CLIENT_KEYS if name != header])
    for api, header in KEY_HEADERS.items()
}
"""The headers of keys that a provider of some API has no use for."""


def rewrite(
    targets: Sequence[Target],
    retry: Retry,
    *,
    path: str,
    document: Document | None,
    decision: Decision,
    decision_id: str,
    project_header: str | None,
    api: Api = Api.OPENAI,
    race: Race | None = None,
    resting: Resting = NONE_RESTS,
) -> Rewrite:
    """Write attempt 1 in full, and leave what the attempt stage needs for the others. Where the
    first provider does not speak the client's ``api``, attempt 1 is the attempt stage's, too.

    ``path`` is below the provider's base URL, with the query. ``document`` of ``None``
    leaves the body as it is. ``project_header`` is for the gateway alone, too. ``race`` has
    the targets race instead of following each other.
    """
    first = targets[0]
    translated = first.api is not api
    set_headers = [
        # Until it is translated the path tells whose errors the client understands.
        (":path", (API_ROOT if translated else first.base_path) + path),
        (names.DECISION_ID, decision_id),
    ]
    labels = {
        "decision_id": decision_id,
        "task": decision.task.value,
        "mode": decision.mode.value,
    }
    timeout = str(round(min(retry.attempt_timeout_s, retry.total_timeout_s) * 1000))
    if race is None:
        set_headers += (
            (names.ENVOY_MAX_RETRIES, str(len(targets) - 1)),
            (names.ENVOY_PER_TRY_TIMEOUT_MS, timeout),
        )
        if not translated:
            set_headers.append((names.FIRST_CLUSTER, first.cluster))
    else:
        # Without the first cluster's name, attempt 1 takes the internal listener, too: so it
        # does where it is translated.
        set_headers += (
            (names.ENVOY_MAX_RETRIES, str(len(race.models) - 1)),
            (names.ENVOY_PER_TRY_TIMEOUT_MS, str(max(1, race.wait_ms))),
            (names.ENVOY_HEDGE, "true"),
        )
        labels[names.ATTEMPT_TIMEOUT_MS] = timeout
    for number, target in enumerate(targets, 1):
        labels[names.cluster_header(number)] = target.cluster
    body = None
    if document is not None:
        edited = edit(document, first.model_json, "prism")
        body = edited.body
        set_headers.append(("content-length", str(len(body))))
        if (len(targets) > 1 or translated) and edited.model_end:
            labels[names.MODEL_SPAN] = f"{edited.model_start}-{edited.model_end}"
    if len(targets) > 1 or translated:
        labels[names.API_PATH] = path
        labels[names.TABLE] = decision.table
    if translated:
        labels[names.TRANSLATED] = "1"
    key = first.key(decision_id, resting)
    if key is None:
        remove = _CLIENT_KEYS
    else:
        remove = _OTHER_KEYS[first.api]
        set_headers += _key_headers(first, key, decision_id)
    if project_header is not None:
        remove = (*remove, project_header)
    return Rewrite(tuple(set_headers), remove, body, labels, reroute=True)


def rewrite_attempt(
    target: Target,
    *,
    path: str,
    body: bytes | None,
    span: tuple[int, int] | None,
    decision_id: str,
    timeout_ms: int | None = None,
    resting: Resting = NONE_RESTS,
    again: int = 0,
) -> Rewrite:
    """Write a further attempt: the same request for another target, or, where ``again`` says
    how many attempts this one has had already, with another of its keys.

    ``timeout_ms`` is how long it may take until headers.
    ``body`` is attempt 1's; ``span`` says where its model name is (``MODEL_SPAN``).
    """
    set_headers = [(":path", target.base_path + path)]
    if timeout_ms is not None:
        set_headers.append((names.ENVOY_PER_TRY_TIMEOUT_MS, str(timeout_ms)))
    if body is not None and span is not None:
        start, end = span
        view = memoryview(body)
        body = b"".join((view[:start], target.model_json, view[end:]))
        set_headers.append(("content-length", str(len(body))))
    else:
        body = None
    key = target.key(decision_id, resting, again)
    if key is None:
        remove = _CLIENT_KEYS
    else:
        # The attempt before this one may have been at a provider of another API.
        remove = _OTHER_KEYS[target.api]
        set_headers += _key_headers(target, key, decision_id)
    return Rewrite(tuple(set_headers), remove, body, {}, reroute=False)


def rewrite_translated(
    target: Target,
    body: bytes,
    *,
    decision_id: str,
    timeout_ms: int | None,
    resting: Resting,
    again: int,
) -> Rewrite:
    """Write an attempt whose ``body`` was translated to the API that the target speaks."""
    set_headers = [
        (":path", target.base_path + PATHS[target.api]),
        ("content-length", str(len(body))),
        ("content-type", "application/json"),
    ]
    if timeout_ms is not None:
        set_headers.append((names.ENVOY_PER_TRY_TIMEOUT_MS, str(timeout_ms)))
    if target.api is Api.ANTHROPIC:
        set_headers.append(VERSION)
    remove: tuple[str, ...] = OWN_HEADERS[other(target.api)]
    key = target.key(decision_id, resting, again)
    if key is None:
        remove = (*remove, *_CLIENT_KEYS)
    else:
        remove = (*remove, *_OTHER_KEYS[target.api])
        set_headers += _key_headers(target, key, decision_id)
    # Envoy's own errors go by the path, which is the provider's; this is for those that can't.
    labels = {names.CLIENT_API: other(target.api).value}
    return Rewrite(tuple(set_headers), remove, body, labels, reroute=False)


def _key_headers(target: Target, key: Key, decision_id: str) -> list[tuple[str, str]]:
    """The key, and where there is a choice which one it is: the log of attempts knows no keys."""
    found = [(KEY_HEADERS[target.api], key.value)]
    if len(target.keys) > 1:
        found.append((names.REQUEST_ID, f"{decision_id}.{key.number}"))
    return found
