"""What every Kubernetes object has around its spec: apiVersion, kind, metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from prism.resources.explain import MOST_UNKNOWN
from prism.resources.problem import Finding, Path, did_you_mean, listing, show, warning
from prism.resources.schema import API_VERSION, GROUP, KINDS

DEFAULT_NAMESPACE = "default"

_TOP_LEVEL = ("apiVersion", "kind", "metadata", "spec", "status")
_METADATA = (
    "name", "namespace", "labels", "annotations", "generateName", "finalizers", "managedFields",
    "ownerReferences", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
    "generation", "resourceVersion", "selfLink", "uid",
)  # fmt: skip
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ENDS = "with a letter or digit at both ends"
_NAMES = (
    ("name", _NAME, 253, f"lower-case letters, digits, '-' and '.', {_ENDS} and beside each '.'"),
    ("namespace", re.compile(_LABEL), 63, f"lower-case letters, digits and '-', {_ENDS}"),
)

# Kinds that often lie next to ours in one folder.
_KUBERNETES_KINDS = frozenset({
    "ClusterRole", "ClusterRoleBinding", "ConfigMap", "CronJob", "CustomResourceDefinition",
    "DaemonSet", "Deployment", "Gateway", "HTTPRoute", "HorizontalPodAutoscaler", "Ingress", "Job",
    "Kustomization", "Namespace", "NetworkPolicy", "Pod", "PodDisruptionBudget", "Role",
    "RoleBinding", "Secret", "Service", "ServiceAccount", "StatefulSet",
})  # fmt: skip


def label(document: Mapping[str, Any]) -> str:
    """``RoutingTable/default`` as far as the document says, else empty."""
    kind, metadata = document.get("kind"), document.get("metadata")
    if kind not in KINDS:
        return ""
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{kind}/{name}" if isinstance(name, str) and _NAME.fullmatch(name) else str(kind)


def foreign(document: Mapping[str, Any]) -> Finding | None:
    """A warning for a document that is well-formed but none of ours, and so is skipped."""
    version, kind = document.get("apiVersion"), document.get("kind")
    if not (isinstance(version, str) and isinstance(kind, str) and version and kind):
        return None
    group = version.rpartition("/")[0]
    if group == GROUP or kind in KINDS:
        return None
    if kind == "List" and version == "v1":
        message = "a List is not read; write each of its items as a document of its own"
        return Finding(("kind",), message)
    if kind in _KUBERNETES_KINDS:
        message = f"skipped: {kind} is a Kubernetes resource that Prism does not read"
        return warning((), message)
    if did_you_mean(group or version, [GROUP]) or did_you_mean(kind, KINDS):
        return None
    message = (
        f"skipped: {show(kind)} of {show(version)} is not a Prism resource "
        f"({' and '.join(KINDS)} of {API_VERSION} are)"
    )
    return warning((), message)


def check_envelope(document: Mapping[str, Any]) -> list[Finding]:
    """What is wrong around the spec. The document is meant to be one of ours."""
    findings = _version_and_kind(document)
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        findings += _metadata(metadata)
    elif metadata is None:
        findings.append(Finding(("metadata", "name"), "is missing: the name of the resource"))
    else:
        findings.append(Finding(("metadata",), "must be a mapping with a name in it"))
    findings += _unknown(document, _TOP_LEVEL, ())
    if document.get("spec") is None:
        findings.append(Finding(("spec",), "is missing: what the resource says goes here"))
    elif not isinstance(document["spec"], dict):
        findings.append(Finding(("spec",), "must be a mapping (name: value)"))
    return findings


def _version_and_kind(document: Mapping[str, Any]) -> list[Finding]:
    findings = []
    version, kind = document.get("apiVersion"), document.get("kind")
    if version is None:
        findings.append(Finding(("apiVersion",), f"is missing; write apiVersion: {API_VERSION}"))
    elif version != API_VERSION:
        message = f"{show(version)} is not known; write {API_VERSION}"
        findings.append(Finding(("apiVersion",), message))
    if kind is None:
        findings.append(Finding(("kind",), f"is missing; write {' or '.join(KINDS)}"))
    elif kind not in KINDS:
        hint = did_you_mean(kind, KINDS) if isinstance(kind, str) else ""
        message = f"{show(kind)} is not known; Prism has {' and '.join(KINDS)}{hint}"
        findings.append(Finding(("kind",), message))
    return findings


def _unknown(given: Mapping[str, Any], known: tuple[str, ...], path: Path) -> Iterator[Finding]:
    unknown = [name for name in given if name not in known]
    for name in unknown[:MOST_UNKNOWN]:
        hint = did_you_mean(name, known) or f"; the fields here are {listing(known, 5)}"
        yield Finding((*path, name), f"unknown field {show(name)}{hint}", at_key=True)
    if len(unknown) > MOST_UNKNOWN:
        yield Finding(path, f"has {len(unknown) - MOST_UNKNOWN} more unknown fields")


def _metadata(metadata: Mapping[str, Any]) -> list[Finding]:
    findings = list(_unknown(metadata, _METADATA, ("metadata",)))
    if metadata.get("name") is None:
        findings.append(Finding(("metadata", "name"), "is missing: the name of the resource"))
    for field, form, limit, words in _NAMES:
        value = metadata.get(field)
        if value is None:
            continue
        if not isinstance(value, str):
            message = f"must be text, not {show(value)}; put it in quotes"
            findings.append(Finding(("metadata", field), message))
        elif not form.fullmatch(value) or len(value) > limit:
            message = f"must be {words}, at most {limit} characters, not {show(value)}"
            findings.append(Finding(("metadata", field), message))
    for field in ("labels", "annotations"):
        if metadata.get(field) is not None:
            findings += _text_map(metadata[field], field)
    return findings


def _text_map(value: Any, field: str) -> list[Finding]:
    if not isinstance(value, dict):
        return [Finding(("metadata", field), "must be a mapping (name: text)")]
    return [
        Finding(("metadata", field, key), f"must be text, not {show(item)}; put it in quotes")
        for key, item in value.items()
        if not isinstance(item, str)
    ]
