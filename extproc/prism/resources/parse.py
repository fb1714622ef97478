"""One document to one Resource, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from prism.resources import envelope
from prism.resources.explain import violations
from prism.resources.lint_candidate import names_itself
from prism.resources.lint_policy import lint_policy
from prism.resources.lint_table import lint_table
from prism.resources.problem import Finding, Path, Problem, Severity, warning
from prism.resources.resource import Resource, content_hash, located
from prism.resources.schema import KINDS, ROUTING_TABLE, defaulted, schema
from prism.resources.source import MAX_DEPTH, Built
from prism.resources.text import documents

_PATTERNS = ("*.yaml", "*.yml")


def read_folder(path: FilePath) -> tuple[list[Resource], list[Problem]]:
    """Every resource of the ``*.yaml`` and ``*.yml`` files in a folder, in order of file name.

    Folders inside and hidden files are left alone, so that a mounted ConfigMap (links into
    ``..data``) reads like plain files. Never raises: what cannot be read is a problem.
    """
    try:
        names = sorted(
            entry
            for entry in path.iterdir()
            if not entry.name.startswith(".") and any(entry.match(p) for p in _PATTERNS)
        )
    except OSError as error:
        message = f"the folder cannot be read: {error.strerror}"
        return [], [Problem(Severity.ERROR, message, file=str(path))]
    resources: list[Resource] = []
    problems: list[Problem] = []
    for name in names:
        if name.is_dir():
            continue
        found, wrong = read_file(name)
        resources += found
        problems += wrong
    return resources, problems


def read_file(path: FilePath) -> tuple[list[Resource], list[Problem]]:
    """The resources of one file, and its problems. Never raises."""
    try:
        if not path.is_file() and path.exists():
            return [], [Problem(Severity.ERROR, "not a plain file", file=str(path))]
        content = path.read_bytes()
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        return [], [Problem(Severity.ERROR, message, file=str(path))]
    return read_text(content, str(path))


def read_text(text: str | bytes, file: str) -> tuple[list[Resource], list[Problem]]:
    """The resources without errors in a text of YAML documents, and every problem of all.

    ``file`` is only named in the problems.
    """
    built, problems = documents(text, file)
    resources: list[Resource] = []
    for document in built:
        resource, found = _read(document)
        problems += found
        if resource is not None:
            resources.append(resource)
    return resources, sorted(problems, key=lambda problem: (problem.line, problem.column))


def read_document(document: Mapping[Any, Any]) -> tuple[Resource | None, list[Problem]]:
    """One loaded document (from the API server, say) to a Resource and its problems."""
    findings: list[Finding] = []
    return _read(Built(_plain(document, (), findings), None, findings))


def check(document: Mapping[Any, Any]) -> list[Problem]:
    """Every problem of one loaded document by itself, without a look at other resources."""
    return read_document(document)[1]


def _read(built: Built) -> tuple[Resource | None, list[Problem]]:
    source = built.source
    file = source.file if source else ""
    if not isinstance(built.value, dict):
        findings = built.findings or [
            Finding((), "not a resource: it has no apiVersion, kind, metadata and spec")
        ]
        return None, [located(finding, "", file, source) for finding in findings]
    label = envelope.label(built.value)
    skipped = envelope.foreign(built.value)
    if skipped is not None:
        return None, [located(skipped, "", file, source)]
    spec, findings = _spec(built)
    problems = [located(finding, label, file, source) for finding in findings]
    if any(problem.is_error for problem in problems):
        return None, problems
    metadata = built.value["metadata"]
    resource = Resource(
        kind=built.value["kind"],
        name=metadata["name"],
        namespace=metadata.get("namespace") or envelope.DEFAULT_NAMESPACE,
        spec=spec,
        generation=content_hash(spec),
        file=file,
        line=source.position(()).line if source else 0,
        source=source,
    )
    return resource, problems


def _spec(built: Built) -> tuple[dict[str, Any], list[Finding]]:
    """The spec with its defaults, and everything found in the whole document."""
    document: dict[str, Any] = built.value
    findings = [*built.findings, *envelope.check_envelope(document)]
    kind, given = document.get("kind"), document.get("spec")
    if kind not in KINDS or not isinstance(given, dict):
        return {}, findings
    nulls: list[Path] = []
    spec: dict[str, Any] = defaulted(given, schema(kind), nulls)
    broken = violations(kind, spec, built.source.literal if built.source else _no_text)
    missing = {finding.path for finding in broken}
    # What YAML could not read right is not reported again for being of the wrong type.
    unread = {finding.path for finding in findings}
    findings += [finding for finding in broken if finding.path not in unread]
    findings += [
        warning(("spec", *path), "has no value and counts as left out; remove it or give it one")
        for path in nulls
        if ("spec", *path) not in missing
    ]
    if kind == ROUTING_TABLE:
        found = [*lint_table(spec), *names_itself(document, spec)]
    else:
        found = lint_policy(spec)
    reported = {finding.path for finding in findings}
    findings += [finding for finding in found if finding.path not in reported]
    if kind == ROUTING_TABLE and not broken:
        _tidy(spec)
    return spec, findings


def _tidy(spec: dict[str, Any]) -> None:
    """One form for values that mean the same."""
    for provider in spec["providers"]:
        provider["baseURL"] = provider["baseURL"].rstrip("/")


def _no_text(_: Path) -> None:
    return None


def _plain(value: Any, path: Path, findings: list[Finding]) -> Any:
    """A copy in dicts and lists. Kubernetes clients hand out read-only views of objects."""
    if len(path) > MAX_DEPTH:
        findings.append(Finding(path[:4], f"nested more than {MAX_DEPTH} deep"))
        return None
    if isinstance(value, Mapping):
        result: dict[str, Any] = {}
        for key, item in value.items():
            if isinstance(key, str):
                result[key] = _plain(item, (*path, key), findings)
            else:
                findings.append(Finding(path, f"the key {key!r} is not text"))
        return result
    if isinstance(value, list | tuple):
        return [_plain(item, (*path, i), findings) for i, item in enumerate(value)]
    return value
