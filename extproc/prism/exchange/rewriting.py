"""From a decision to the request that goes out: headers, path and the few bytes of the body."""

from __future__ import annotations

from collections.abc import Sequence

from prism.exchange import headers as names
from prism.exchange.steps import Rewrite
from prism.exchange.targets import NONE_RESTS, Key, Resting, Target
from prism.prompt.document import Document, edit
from prism.routing.catalog import Retry
from prism.routing.decision import Decision
from prism.routing.racing import Race

# The client's key is for the gateway; no provider may see it.
_CLIENT_KEYS = ("api-key", "x-api-key")


def rewrite(
    targets: Sequence[Target],
    retry: Retry,
    *,
    path: str,
    document: Document | None,
    decision: Decision,
    decision_id: str,
    project_header: str | None,
    race: Race | None = None,
    resting: Resting = NONE_RESTS,
) -> Rewrite:
    """Write attempt 1 in full, and leave what the attempt stage needs for the others.

    ``path`` is below the provider's base URL, with the query. ``document`` of ``None``
    leaves the body as it is. ``project_header`` is for the gateway alone, too. ``race`` has
    the targets race instead of following each other.
    """
    first = targets[0]
    set_headers = [
        (":path", first.base_path + path),
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
            (names.FIRST_CLUSTER, first.cluster),
        )
    else:
        # Without the first cluster's name, attempt 1 takes the internal listener, too.
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
        if len(targets) > 1 and edited.model_end:
            labels[names.MODEL_SPAN] = f"{edited.model_start}-{edited.model_end}"
    if len(targets) > 1:
        labels[names.API_PATH] = path
        labels[names.TABLE] = decision.table
    remove: tuple[str, ...] = _CLIENT_KEYS
    if project_header is not None:
        remove = (*remove, project_header)
    key = first.key(decision_id, resting)
    if key is None:
        remove = (*remove, "authorization")
    else:
        set_headers += _key_headers(first, key, decision_id)
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
    remove: tuple[str, ...] = ()
    key = target.key(decision_id, resting, again)
    if key is None:
        remove = ("authorization",)
    else:
        set_headers += _key_headers(target, key, decision_id)
    return Rewrite(tuple(set_headers), remove, body, {}, reroute=False)


def _key_headers(target: Target, key: Key, decision_id: str) -> list[tuple[str, str]]:
    """The key, and where there is a choice which one it is: the log of attempts knows no keys."""
    found = [("authorization", key.authorization)]
    if len(target.keys) > 1:
        found.append((names.REQUEST_ID, f"{decision_id}.{key.number}"))
    return found
