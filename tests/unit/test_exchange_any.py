"""Any headers and any body end in a reply or a rewrite, never in an exception."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from prism.exchange.attempt import AttemptStage
from prism.exchange.routed import always
from prism.exchange.steps import Proceed, Reply, RequestHeaders, Rewrite

from .stages import CHAT, HI, KEYS, live, routed
from .tables import catalog, policy, table

OPEN = live()
STRICT = live(
    catalog(
        policy(anonymous=True, allow_pins=False),
        tables=(table(project_header="x-team"),),
    ),
    {"acorn-key": "sk-acorn"},
)
TEXT = st.text(max_size=12)
KNOWN = [
    "authorization",
    "api-key",
    "content-type",
    "content-encoding",
    "x-team",
    "x-prism-mode",
    "x-prism-model-prefer",
    "x-prism-max-cost",
    "x-prism-min-quality",
    "x-prism-max-latency-ms",
    "x-prism-conversation",
    "x-prism-model-span",
    "x-prism-first-cluster",
    "x-prism-cluster-1",
    "x-prism-api-path",
    "x-prism-decision-id",
    "x-envoy-attempt-count",
]
NAMES = st.one_of(TEXT, st.sampled_from(KNOWN))
VALUES = st.one_of(
    TEXT,
    st.sampled_from(["eco", "1", "-1", "1e999", "tiny", "application/json", "gzip", "Bearer x"]),
    st.sampled_from(["1-5", "5-1", "999999999999-3", *OPEN.clusters]),
)
PATHS = st.one_of(
    st.sampled_from([CHAT, "/v1/models", "/v1/models/tiny", "/v1/prism/route", "/v1/embeddings"]),
    st.text("/v1.%2eE?#\\a", max_size=20).map("/v1".__add__),
    TEXT,
)
METHODS = st.sampled_from(["POST", "GET", "HEAD", "OPTIONS", "DELETE", "post", ""])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.just("tiny")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(TEXT, st.sampled_from(["role", "content", "type"])), inner),
    ),
    max_leaves=6,
)
MEMBERS = ["model", "messages", "prism", "tools", "functions", "response_format", "stream"]
BODIES = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.dictionaries(st.sampled_from([*MEMBERS, "max_tokens", "max_completion_tokens"]), JSON).map(
        lambda found: json.dumps({"model": "auto", "messages": HI, **found}).encode()
    ),
)


@given(st.dictionaries(NAMES, VALUES, max_size=6), PATHS, METHODS, BODIES)
def test_the_route_stage_takes_anything(
    headers: dict[str, str], path: str, method: str, body: bytes | None
) -> None:
    for made in (OPEN, STRICT):
        step = routed(body, path=path, method=method, headers=headers, live=made)
        if isinstance(step, Reply):
            assert 200 <= step.status < 600
            assert step.status < 500 or b"missing_credential" in step.body
            json.loads(step.body)
            assert not any(key.encode() in step.body for key in KEYS.values())
        else:
            assert isinstance(step, Rewrite)
            assert len(dict(step.set_headers)) == len(step.set_headers)
            length = dict(step.set_headers).get("content-length")
            assert length == (None if step.body is None else str(len(step.body)))


@given(st.dictionaries(NAMES, VALUES, max_size=8), st.binary(max_size=40), st.booleans())
def test_the_attempt_stage_takes_anything(
    headers: dict[str, str], body: bytes, complete: bool
) -> None:
    stage = AttemptStage(OPEN, 0, always)
    step = stage.on_headers(RequestHeaders(headers, complete))
    assert not complete or not isinstance(step, Proceed)
    if isinstance(step, Proceed):
        step = stage.on_body(body)
    assert isinstance(step, Reply | Rewrite)
