"""The CustomResourceDefinitions, written from the schemas that the parser checks with.

``python -m prism_operator.crds charts/prism/crds`` writes them (``make crds``); with ``--check``
it only says which are out of date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from prism.resources import API_VERSION, GROUP, KINDS, PROJECT_POLICY, ROUTING_TABLE
from prism.resources.schema import schema

_VERSION = API_VERSION.removeprefix(f"{GROUP}/")
_NAMES: Mapping[str, tuple[str, str]] = {
    ROUTING_TABLE: ("routingtables", "rt"),
    PROJECT_POLICY: ("projectpolicies", "pp"),
}
_RULES: Mapping[str, list[dict[str, str]]] = {
    ROUTING_TABLE: [
        {
            "rule": "!has(self.spec.candidate) || self.spec.candidate.table != self.metadata.name",
            "message": "is this table itself; name another one, or remove spec.candidate",
            "fieldPath": ".spec.candidate.table",
        }
    ],
}
"""What concerns more than the spec: only at the root does a rule know the resource's name."""
_HEAD = "# Generated from the schemas in extproc/prism/resources/schema: make crds\n"


def crd(kind: str) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    plural, short = _NAMES[kind]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GROUP}",
            "labels": {"app.kubernetes.io/part-of": "prism"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": ["prism"],
            },
            "versions": [
                {
                    "name": _VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(kind),
                    "schema": {"openAPIV3Schema": _whole(kind)},
                }
            ],
        },
    }


def _whole(kind: str) -> dict[str, Any]:
    spec = schema(kind)
    status = yaml.safe_load(files(__package__).joinpath("status_schema.yaml").read_text("utf-8"))
    rules = {"x-kubernetes-validations": _RULES[kind]} if kind in _RULES else {}
    return {
        "type": "object",
        "description": spec["description"],
        **rules,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"Always {API_VERSION}."},
            "kind": {"type": "string", "description": f"Always {kind}."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def _columns(kind: str) -> list[dict[str, Any]]:
    """What ``kubectl get`` shows; columns of priority 1 only with ``-o wide``."""
    whose = [_column("Project", ".spec.project")] if kind == PROJECT_POLICY else []
    return [
        *whose,
        *(_column(name, _condition(name, "status")) for name in ("Accepted", "Programmed")),
        _column("Replicas", ".status.replicas"),
        _column("Age", ".metadata.creationTimestamp", type="date"),
        _column("Reason", _condition("Programmed", "reason"), priority=1),
        _column("Snapshot", ".status.snapshot", priority=1),
    ]


def _column(name: str, path: str, **more: object) -> dict[str, Any]:
    return {"name": name, "type": "string", "jsonPath": path, **more}


def _condition(name: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{name}")].{field}'


def text(kind: str) -> str:
    """The YAML file of a kind's CustomResourceDefinition."""
    return _HEAD + yaml.safe_dump(crd(kind), sort_keys=False, width=100, allow_unicode=True)


def main() -> int:
    """Write the files, or say which would change; the exit status is 1 then."""
    parser = argparse.ArgumentParser(prog="python -m prism_operator.crds", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files are, or go")
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    stale = 0
    for kind in KINDS:
        place = arguments.folder / f"{_NAMES[kind][0]}.yaml"
        if place.is_file() and place.read_text("utf-8") == text(kind):
            continue
        if arguments.check:
            stale += 1
            sys.stderr.write(f"{place} is out of date: make crds\n")
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text(kind), "utf-8")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
