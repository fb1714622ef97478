"""One change to a good resource, and the one problem it must give: a table of bad inputs.

The resources go in as loaded documents, as the operator and the webhook have them.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from prism.resources import check, read_document

DATA = Path(__file__).parents[1] / "data/resources/valid"
TABLE = yaml.safe_load((DATA / "table-smallest.yaml").read_text("utf-8"))
POLICY = yaml.safe_load((DATA / "policy-smallest.yaml").read_text("utf-8"))
REMOVED = object()
LONG = "x" * 300
NAN, INF = float("nan"), float("inf")
HASH = "ab" * 32


def changed(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with ``value`` at a dotted path (numbers are list indexes), or nothing there."""
    result = copy.deepcopy(document)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    node: Any = result
    for part in parents:
        node = node[part] if isinstance(part, int) else node.setdefault(part, {})
    if value is REMOVED:
        del node[last]
    elif isinstance(last, int) and last == len(node):
        node.append(value)
    else:
        node[last] = value
    return result


MODEL = "spec.models.0"
BAD_TABLES = [
    ("spec.providers.0.name", "Open_AI", "lower-case letters"),
    ("spec.providers.0.name", "openai\n", "lower-case letters"),
    ("spec.providers.0.name", "-openai", "lower-case letters"),
    ("spec.providers.0.name", LONG, "at most 63 characters"),
    ("spec.providers.0.name", "mistral", "already at"),
    ("spec.providers.0.name", 7, "must be text"),
    ("spec.providers.0", "openai", "must be a mapping"),
    ("spec.providers", {"openai": {}}, "must be a list"),
    ("spec.providers.0.baseURL", REMOVED, "is missing"),
    ("spec.providers.0.baseURL", "http://", "at least 8 characters"),
    ("spec.providers.0.baseURL", "https://a b/v1", "http:// or https://"),
    ("spec.providers.0.baseURL", "https://host/#x", "without user, query or fragment"),
    ("spec.providers.0.baseURL", "https://host:0/v1", "host name"),
    ("spec.providers.0.baseURL", "https://host:port/v1", "is not a URL"),
    ("spec.providers.0.baseURL", "https://host/v1/embeddings", "one endpoint"),
    ("spec.providers.0.api", "openai", 'did you mean "OpenAI"?'),
    ("spec.providers.0.region", "EU", "lower-case letters"),
    ("spec.providers.0.region", False, "the boolean false"),
    ("spec.providers.0.credentials", [{"key": "A", "weight": 1.5}], "whole number"),
    ("spec.providers.0.credentials", [{"key": "A", "weight": True}], "the boolean true"),
    ("spec.providers.0.credentials", [{"key": "A B"}], "the NAME of an entry"),
    ("spec.providers.0.credentials", ["A"], "must be a mapping"),
    (f"{MODEL}.name", "gpt 5", "letters, digits and"),
    (f"{MODEL}.name", "auto", "autoNames"),
    (f"{MODEL}.provider", "openia", 'did you mean "openai"?'),
    (f"{MODEL}.upstreamName", "", "must not be empty"),
    (f"{MODEL}.upstreamName", "a b", "without spaces"),
    (f"{MODEL}.price", REMOVED, "is missing"),
    (f"{MODEL}.price", 3, "must be a mapping"),
    (f"{MODEL}.price.inputPerMillion", -1, "at least 0"),
    (f"{MODEL}.price.inputPerMillion", NAN, "must be a number"),
    (f"{MODEL}.price.inputPerMillion", INF, "must be a number"),
    (f"{MODEL}.price.inputPerMillion", 10**400, "at most 100_000"),
    (f"{MODEL}.price.inputPerMillion", "free", "must be a number"),
    (f"{MODEL}.price.input", 1, "unknown field"),
    (f"{MODEL}.quality.code", 1.01, "at most 1"),
    (f"{MODEL}.quality.code", REMOVED, "is missing"),
    (f"{MODEL}.quality.chat", 1, "unknown field"),
    (f"{MODEL}.latency.tokensPerSecond", 0, "at least 0.01"),
    (f"{MODEL}.contextLength", 0, "at least 1"),
    (f"{MODEL}.cacheTtlSeconds", -1, "at least 0"),
    (f"{MODEL}.cacheTtlSeconds", 86_401, "at most 86_400"),
    (f"{MODEL}.cacheTtlSeconds", "5m", "must be a whole number"),
    (f"{MODEL}.contextLength", 10**12, "at most 1_000_000_000"),
    (f"{MODEL}.contextLength", "128k", "must be a whole number"),
    (f"{MODEL}.capabilities", ["tool"], 'did you mean "tools"?'),
    (f"{MODEL}.capabilities", ["tools", "tools"], "already at"),
    ("spec.cells.code", REMOVED, "is missing"),
    ("spec.cells.code.eco", REMOVED, "is missing"),
    ("spec.cells.code.turbo", ["gpt-5-mini"], "unknown field"),
    ("spec.cells.chat", {}, "unknown field"),
    ("spec.cells.code.eco", [], "at least one entry"),
    ("spec.cells.code.eco.2", "gpt-5", 'did you mean "gpt-5-mini"?'),
    ("spec.cells.code.eco.2", "gpt-5-mini", "name each model once"),
    ("spec.cells.code.eco.2", None, "must be text, not empty"),
    ("spec.defaultMode", "fast", "must be one of eco, balanced, sport"),
    ("spec.autoNames", ["a b"], "letters, digits and"),
    ("spec.autoNames", ["gpt-5-mini"], "no request could ask"),
    ("spec.expectedOutputTokens.code", 0, "at least 1"),
    ("spec.classifier.abstainBelow", 2, "at most 1"),
    ("spec.classifier.abstainOn", ["Simple"], 'did you mean "simple"?'),
    ("spec.classifier.abstainOn", "simple", "must be a list"),
    ("spec.classifier.safeTask", "Complex", 'did you mean "complex"?'),
    ("spec.identity.apiKeys", "required", 'did you mean "Required"?'),
    ("spec.identity.trustedProjectHeader", "x project", "the name of a header"),
    ("spec.identity.trustedProjectHeader", "Host", "another meaning"),
    ("spec.identity.trustedProjectHeader", "x-envoy-original-path", "another meaning"),
    ("spec.failureMode", "Half", "must be one of Open, Closed"),
    ("spec.retry.maxAttempts", 0, "at least 1"),
    ("spec.retry.maxAttempts", 6, "at most 5"),
    ("spec.retry.attemptTimeout", "30", "a duration such as"),
    ("spec.retry.attemptTimeout", "30 s", "a duration such as"),
    ("spec.retry.attemptTimeout", "0s", "from 10ms to 1h"),
    ("spec.retry.attemptTimeout", "1h1ms", "from 10ms to 1h"),
    ("spec.retry.totalTimeout", "9ms", "from 10ms to 1h"),
    ("spec.retry.totalTimeout", "soon", "a duration such as"),
    ("spec.retry.budget.percent", 101, "at most 100"),
    ("spec.retry.budget.percent", -1, "at least 0"),
    ("spec.retry.budget.reserve", -1, "at least 0"),
    ("spec.retry.budget.reserve", 10001, "at most 10_000"),
    ("spec.racing.modes", ["fast"], "must be one of"),
    ("spec.racing.maxShare", 1.1, "at most 1"),
    ("spec.candidate", {"table": "default"}, "is this table itself"),
    ("spec.candidate", {"table": "next", "percent": 100.5}, "must be a whole number"),
    ("spec.candidate", {"table": "next", "percent": -1}, "at least 0"),
    ("spec.candidate", {}, "is missing"),
    ("spec.candidate", "next", "must be a mapping"),
    ("spec.retries", {}, 'did you mean "retry"?'),
    ("spec.safeTask", "code", "a field of this name belongs in spec.classifier"),
    ("kind", "routingtable", 'did you mean "RoutingTable"?'),
    ("apiVersion", "routing.prism.dev/v1", "write routing.prism.dev/v1alpha1"),
    ("metadata.name", "Default", "lower-case letters"),
    ("metadata.name", REMOVED, "is missing"),
    ("metadata.nam", "x", "unknown field"),
    ("spec", REMOVED, "is missing"),
    ("extra", 1, "unknown field"),
]
BAD_POLICIES = [
    ("spec.project", "a b", "letters, digits"),
    ("spec.project", "", "must not be empty"),
    ("spec.project", REMOVED, "is missing"),
    ("spec.table", "Default", "lower-case letters"),
    ("spec.anonymous", "true", "remove the quotes"),
    ("spec.apiKeys", [HASH], "must be a mapping"),
    ("spec.apiKeys", [{"sha256": HASH.upper()}], "64 lower-case hexadecimal digits"),
    ("spec.apiKeys", [{"sha256": HASH[1:]}], "64 lower-case hexadecimal digits"),
    ("spec.apiKeys", [{"sha256": HASH}, {"sha256": HASH}], "already at"),
    ("spec.apiKeys", [{"sha256": HASH, "name": "a b"}], "letters, digits"),
    ("spec.apiKeys", [{"key": "prism-x"}], "is missing"),
    ("spec.defaultMode", 1, "must be text"),
    ("spec.models.allowed", [], "leave it out to allow all"),
    ("spec.models.denied", "gpt-5", "write [gpt-5]"),
    ("spec.models.denied", ["a", "a"], "already at"),
    ("spec.forced", [{"task": "code"}], "is missing"),
    ("spec.forced", [{"task": "code", "mode": "any", "model": "a"}], "must be one of"),
    ("spec.regions.denied", ["us"], "unknown field"),
    ("spec.regions.allowed", [False], "must be text"),
    ("spec.pins", "Never", "must be one of Allowed, Denied"),
    ("spec.racing", {"modes": []}, "must be text, not a mapping"),
    ("spec.limits.maxCostPerRequest", -0.01, "at least 0"),
    ("spec.limits.maxCostPerRequest", NAN, "must be a number"),
    ("spec.limits.minQuality", 80, "at most 1"),
    ("spec.limits.maxLatencyMs", 0, "at least 1"),
]
CASES = [(TABLE, *case) for case in BAD_TABLES] + [(POLICY, *case) for case in BAD_POLICIES]


@pytest.mark.parametrize(("document", "path", "value", "expected"), CASES)
def test_is_refused_with_words(
    document: dict[str, Any], path: str, value: object, expected: str
) -> None:
    resource, problems = read_document(changed(document, path, value))
    assert resource is None
    errors = [str(problem) for problem in problems if problem.is_error]
    assert any(expected in error for error in errors), errors
    last = path.rpartition(".")[2]
    if not last.isdigit():
        assert any(last in error for error in errors), errors


@pytest.mark.parametrize("document", [TABLE, POLICY])
def test_the_unchanged_documents_are_good(document: dict[str, Any]) -> None:
    assert check(document) == []


@pytest.mark.parametrize(
    "key",
    [
        "sk-abcdefgh12345678",
        "sk-ant-api03-Zx81kQ0pLmN72vBc",
        "AIzaSyA1b2C3d4E5f6G7h8I9j0",
        "gsk_9f8e7d6c5b4a3f2e1d0c",
        "9f86d081884c7d659a2feaa0c55ad015",
        "xK2mQ8rT5vW1yZ4bN7cJ3hL6",
        "hf_AbCdEfGhIjKlMnOpQrSt",
    ],
)
def test_a_secret_in_place_of_its_name_is_refused_and_not_repeated(key: str) -> None:
    provider = {"name": "openai", "baseURL": "https://h/v1", "credentials": [{"key": key}]}
    problems = check(changed(TABLE, "spec.providers.0", provider))
    assert any("NAME of the key" in problem.message for problem in problems)
    assert not any(key in str(problem) for problem in problems)


@pytest.mark.parametrize(
    "key",
    [
        "OPENAI_API_KEY",
        "openai",
        "AZURE_OPENAI_EASTUS2_PRODUCTION_KEY_2026",
        "team-a.openai.key.v2",
        "sk-main",
        "provider-credentials-production-europe-west4",
    ],
)
def test_the_name_of_a_key_is_fine(key: str) -> None:
    provider = {"name": "openai", "baseURL": "https://h/v1", "credentials": [{"key": key}]}
    assert check(changed(TABLE, "spec.providers.0", provider)) == []


def test_a_pasted_key_or_password_is_never_repeated() -> None:
    secret = "prism-Zm9vYmFyYmF6cXV4"
    for path, value in [
        ("spec.apiKeys", [{"sha256": secret}]),
        ("spec.apiKeys", [{"sha256": secret.ljust(64, "!")}]),
    ]:
        problems = check(changed(POLICY, path, value))
        assert problems
        assert not any(secret in str(problem) for problem in problems)
    url = f"https://user:{secret}@host/v1"
    problems = check(changed(TABLE, "spec.providers.0.baseURL", url))
    assert problems
    assert not any(secret in str(problem) for problem in problems)
