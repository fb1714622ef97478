"""One verdict, whoever is asked: ``kubectl apply`` on a real API server, or Prism's parser.

The parser is what ``prism validate``, the operator and the admission webhook check with; the API
server has the CRD's schema and CEL rules. Only what needs other resources is left to status.
"""

from __future__ import annotations

import importlib.util
import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from prism.resources import has_errors, read_document, read_text
from prism.resources.lint_table import TAKEN_HEADERS

from .kube import Kube

pytestmark = pytest.mark.cluster

TESTS = Path(__file__).parents[1]
DATA = TESTS / "data/resources"
_DOCUMENT_ENDS = re.compile(rb"(?m)^---[ \t]*\n")

# Each document that only one of the two refuses, and why that is right.
ONLY_PRISM = {
    "yaml-anchor-twice.yaml:0": "kubectl lets a second anchor of one name win; what was meant "
    "is not known, so a folder of files refuses it; the API server never sees anchors",
}
ONLY_API = {
    "foreign.yaml:1": "a kind that is not ours: Prism skips it with a warning",
}


def documents() -> Iterator[tuple[str, bytes]]:
    """Every document of the golden files as it is written, by file and number."""
    for file in sorted(DATA.glob("*valid/*.yaml")):
        parts = _DOCUMENT_ENDS.split(file.read_bytes())
        for number, part in enumerate(parts):
            if re.search(rb"(?m)^[^#\s]", part):  # not only comments
                yield f"{file.name}:{number}", part


DOCUMENTS = dict(documents())


@pytest.fixture(scope="module")
def namespace(kube: Kube) -> str:
    """The golden files name this one. A disposable cluster may have it from the last run."""
    kube.kubectl("create", "namespace", "ai", check=False)
    return "ai"


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.usefixtures("namespace")
def test_golden(kube: Kube, tmp_path: Path, name: str) -> None:
    text = DOCUMENTS[name]
    file = tmp_path / "document.yaml"
    file.write_bytes(text)
    applied = kube.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", str(file), check=False
    )
    _, problems = read_text(text, name)
    accepted = (applied.returncode == 0, not has_errors(problems))
    expected = {
        (True, False): name in ONLY_PRISM,
        (False, True): name in ONLY_API,
    }.get(accepted, name not in ONLY_PRISM | ONLY_API)
    assert expected, (applied.stdout + applied.stderr, [str(problem) for problem in problems])


def _bad_rows() -> Any:
    """The table of single bad changes that the parser's own tests go through."""
    path = TESTS / "unit/test_resources_bad.py"
    found = importlib.util.spec_from_file_location("bad_rows", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


ROWS = _bad_rows()
TABLE, POLICY = ROWS.TABLE, ROWS.POLICY
URL = "spec.providers.0.baseURL"
TIMEOUT = "spec.retry.attemptTimeout"
HEADER = "spec.identity.trustedProjectHeader"

URLS = """
https://api.openai.com/v1 https://api.openai.com/v1/ https://host:/v1 https://host:65535
https://host:65536/v1 https://host:00080/v1 https://host:0 https://host:000/ https://a:b:80/v1
http://[::1]:8000/v1 http://[::1] http://[::ffff:1.2.3.4]/ http://[1::2::3]/ http://[zz]/ http://[]/
http://[::1]x/ http://a[::1]/ http://[fe80::1%25eth0]/ https://messages https://messages/
https://h/messages/ https://h/v1/messages// https://h/messages/x https://h/v1/chat/completions/
https://a,b/v1 https://a\\b/v1 https://a_b/v1 https://a%20b/v1 https://h/a%zz https://h/ü
https://h/[a] https://h/v1;x https://h:80:/ https://:80/ https://h/x:0/ https://h:+80/ HTTPS://h/v1
"""
SPACES_IN_URLS = ["https://h\u00a0x/v1", "https://h/\x0b", "https://h/\x7f", "https://h/v1\n"]
TIMEOUTS = """
9ms 10ms 1ms9ms 3ms7ms 1ms1ms1ms1ms 0s0s 0h10ms 30s1m 00030s 59m60s 3600s 3600000ms 3600001ms
1h 1h0s 1h1ms 9999999h9999999h9999999h9999999h
"""
HEADERS = [*TAKEN_HEADERS, "x-project", "X-Prism-A", "x-prism", "X-ENVOY-x", "x-stainless-lang"]
SECRETS = """
sk-abcdefgh12345678 sk-short OPENAI_API_KEY ya29.abcdefgh yaX9.abcdefgh hf_AbCdEfGhIj
"""
VALUES = (None, "x", "", 1, 2.0, 2.5, -0.0, True, [], {}, 2**31, 2**63, 1e30)
PLACES = {
    "RoutingTable": """models.0.contextLength models.0.upstreamName models.0.capabilities
        models.0.price.cachedInputPerMillion models.0.latency.tokensPerSecond providers
        providers.0.region providers.0.credentials retry retry.maxAttempts defaultMode autoNames
        racing racing.maxShare racing.waitMs classifier.deadlineMs""",
    "ProjectPolicy": """table anonymous apiKeys models models.allowed models.denied forced regions
        limits.minQuality limits.maxLatencyMs defaultMode""",
}
FORCED = (
    [{"task": "code", "model": "a"}, {"task": "code", "model": "a", "mode": "eco"}],
    [{"task": "code", "model": "a", "mode": "eco"}, {"task": "code", "model": "b", "mode": "eco"}],
)
LISTED = ({"denied": ["a"]}, {"allowed": ["b"]}, {"allowed": ["a"], "denied": ["a"]}, {})
TEXTS = ("a\n", "é", "x" * 128, "x" * 129, "é" * 128, "😀" * 129)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def edges() -> Iterator[tuple[dict[str, Any], str, object]]:
    """Changes around the rules that both have to know; some are good."""
    yield from ((TABLE, URL, value) for value in [*URLS.split(), *SPACES_IN_URLS])
    yield from ((TABLE, TIMEOUT, value) for value in TIMEOUTS.split())
    yield from ((TABLE, HEADER, value) for value in HEADERS)
    yield from (
        (TABLE, "spec.providers.0.credentials", [{"key": value}]) for value in SECRETS.split()
    )
    for document in (TABLE, POLICY):
        for place in PLACES[document["kind"]].split():
            yield from ((document, f"spec.{place}", value) for value in VALUES)
    yield from ((POLICY, "spec.forced", value) for value in FORCED)
    forced = ROWS.changed(POLICY, "spec.forced", [{"task": "code", "model": "a"}])
    yield from ((forced, "spec.models", value) for value in LISTED)
    yield from ((POLICY, "spec.models.denied", [value]) for value in TEXTS)
    yield from ((TABLE, "metadata.name", value) for value in ("a..b", "a.-b", "a.b", "a" * 254))
    yield (POLICY, "spec.apiKeys", [{"sha256": EMPTY}])


# The same for single changes.
ONLY_PRISM_CHANGES = [
    (
        "spec.providers.0.credentials",
        [{"key": "xK2mQ8rT5vW1yZ4bN7cJ3hL6"}],
        "whether text looks random is too dear a question for CEL; webhook and status ask it",
    )
]


def test_single_changes(kube: Kube) -> None:
    """In one test: 500 requests of a few milliseconds each."""
    rows = [*((document, path, value) for document, path, value, _ in ROWS.CASES), *edges()]
    rows += [(TABLE, path, value) for path, value, _ in ONLY_PRISM_CHANGES]
    differ, verdicts = [], []
    with _client(kube) as client:
        for document, path, value in rows:
            changed = ROWS.changed(document, path, value)
            try:
                body = json.dumps(changed, allow_nan=False)
            except ValueError:
                continue  # JSON has no way to say infinity
            answer = client.post(_collection(changed), content=body)
            accepted = not has_errors(read_document(changed)[1])
            verdicts.append(accepted)
            if answer.is_success != accepted:
                why = "accepted" if answer.is_success else answer.json()["message"]
                differ.append((path, value, why))
    assert differ == [(path, value, "accepted") for path, value, _ in ONLY_PRISM_CHANGES]
    assert {True, False} == set(verdicts)


def _client(kube: Kube) -> httpx.Client:
    namespace = kube.namespace()
    kube.kubectl("create", "serviceaccount", "admin", "-n", namespace)
    kube.kubectl(
        "create", "clusterrolebinding", namespace,
        "--clusterrole=cluster-admin", f"--serviceaccount={namespace}:admin",
    )  # fmt: skip
    return httpx.Client(
        base_url=kube.url,
        verify=ssl.create_default_context(cafile=str(kube.ca)),
        headers={
            "authorization": f"Bearer {kube.token(namespace, 'admin')}",
            "content-type": "application/json",
        },
        timeout=600,  # a busy machine may stop the API server for a while
    )


def _collection(document: dict[str, Any]) -> str:
    kind = {"ProjectPolicy": "projectpolicies"}.get(document["kind"], "routingtables")
    place = f"/apis/routing.prism.dev/v1alpha1/namespaces/default/{kind}"
    return f"{place}?dryRun=All&fieldValidation=Strict"


def test_a_key_written_twice(kube: Kube, tmp_path: Path) -> None:
    """kubectl lets the last one win before the API server sees it; files are read more strictly."""
    file = tmp_path / "twice.yaml"
    text = json.dumps(POLICY).replace('"project"', '"project": "other", "project"', 1)
    file.write_text(text, "utf-8")
    applied = kube.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", str(file), check=False
    )
    assert applied.returncode == 0, applied.stderr
    assert has_errors(read_text(text, "twice.yaml")[1])
