"""The names of the headers that Prism, its clients and Envoy exchange, all lower case.

One place for each name: the stages, Envoy's configuration and the tests use these.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "x-prism-"

# What clients may send (design: client contract). Envoy strips all else that has the prefix.
MODE: Final = "x-prism-mode"
MODEL_PREFER: Final = "x-prism-model-prefer"
MAX_COST: Final = "x-prism-max-cost"
MIN_QUALITY: Final = "x-prism-min-quality"
MAX_LATENCY_MS: Final = "x-prism-max-latency-ms"
CONVERSATION: Final = "x-prism-conversation"
REQUEST: Final = (MODE, MODEL_PREFER, MAX_COST, MIN_QUALITY, MAX_LATENCY_MS, CONVERSATION)

READ: Final = (
    *("authorization", "api-key", "x-api-key", "content-type", "content-encoding"),
    *REQUEST,
)
"""All that the route stage reads of a request besides its method, its path, and the header
that a table may name as its project's."""

# What clients get.
MODEL: Final = "x-prism-model"
PROVIDER: Final = "x-prism-provider"
TASK_TYPE: Final = "x-prism-task-type"
ANSWER_MODE: Final = "x-prism-mode"
DECISION_ID: Final = "x-prism-decision-id"
ATTEMPTS: Final = "x-prism-attempts"

# Internal, between the route stage, Envoy's routes and the attempt stage. Envoy strips any
# that a client sends before anything reads them, and removes ours before a provider sees them.
FIRST_CLUSTER: Final = "x-prism-first-cluster"
"""The cluster of attempt 1, where it goes straight there. Not ``x-prism-cluster-1``: once set on
the way to the internal listener that one stays, and Envoy chooses anew before each attempt."""
CLUSTER_PREFIX: Final = "x-prism-cluster-"
"""``x-prism-cluster-N`` names the cluster of attempt N."""
MODEL_SPAN: Final = "x-prism-model-span"
"""``START-END``, the byte offsets of the value of ``model`` in the body; none: leave the body."""
API_PATH: Final = "x-prism-api-path"
"""The path below the provider's base URL, with the query."""
ATTEMPT_TIMEOUT_MS: Final = "x-prism-attempt-timeout-ms"
"""Only in races: how long an attempt may take until headers. The internal listener ends it, since
the gateway's own limit only starts the next one there."""
TABLE: Final = "x-prism-table"
"""The table that decided; its settings bound further attempts."""
TRANSLATED: Final = "x-prism-translated"
"""Attempt 1 goes to a provider of another API: the attempt stage has to translate it."""
CLIENT_API: Final = "client_api"
"""No header: what the attempt stage leaves in a translated attempt's metadata, the API that the
client speaks."""
MAX_ATTEMPTS: Final = 5
"""As many attempts as a table may ask for; Envoy's routes know this many cluster headers."""


def cluster_header(attempt: int) -> str:
    """The header that names the cluster of an attempt, counted from 1."""
    return f"{CLUSTER_PREFIX}{attempt}"


def further() -> tuple[str, ...]:
    """Headers that only an attempt through the internal listener has. The route stage leaves
    them in the request's metadata under these names; Envoy sets them on the way there."""
    return (
        *(cluster_header(number) for number in range(1, MAX_ATTEMPTS + 1)),
        MODEL_SPAN,
        API_PATH,
        ATTEMPT_TIMEOUT_MS,
        TABLE,
        TRANSLATED,
    )


INTERNAL: Final = (
    DECISION_ID,
    TASK_TYPE,
    MODEL_SPAN,
    API_PATH,
    ATTEMPT_TIMEOUT_MS,
    FIRST_CLUSTER,
    TABLE,
    TRANSLATED,
    *(cluster_header(number) for number in range(1, MAX_ATTEMPTS + 1)),
)

# Standard ones.
ALLOW: Final = "allow"
TRACEPARENT: Final = "traceparent"
RETRY_AFTER: Final = "retry-after"
REQUEST_ID: Final = "x-request-id"
"""Where a provider gives several keys to choose from: the decision's id, a dot, and the number
of the attempt's key, so that Envoy's log can tell whose key was refused."""

# Envoy's own (https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/router_filter).
ENVOY_MAX_RETRIES: Final = "x-envoy-max-retries"
ENVOY_PER_TRY_TIMEOUT_MS: Final = "x-envoy-upstream-rq-per-try-timeout-ms"
ENVOY_HEDGE: Final = "x-envoy-hedge-on-per-try-timeout"
ENVOY_ATTEMPT_COUNT: Final = "x-envoy-attempt-count"
ENVOY_RATELIMITED: Final = "x-envoy-ratelimited"
"""On an answer: Envoy makes no further attempt, whatever its status."""
