"""Provider keys: files of a mounted folder, else environment variables. Never logged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from prism.resources.problem import Problem, Severity
from prism.routing.catalog import Catalog


class Credentials:
    """Looks keys up by the names that RoutingTables use.

    ``folder`` holds one file per key, named as the key, as a mounted Kubernetes Secret
    does; it comes before the environment.
    """

    def __init__(self, folder: Path | None, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._environment = os.environ if environment is None else environment

    def read(self, names: Iterable[str]) -> dict[str, str]:
        """The keys that are there, by name; blank ones count as missing."""
        found = {}
        for name in names:
            value = self._file(name) or self._environment.get(name, "").strip()
            # A line end inside would let a key add headers to a request.
            if value and value.isprintable() and value.isascii():
                found[name] = value
        return found

    def _file(self, name: str) -> str:
        if self.folder is None:
            return ""
        try:
            return (self.folder / name).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""


def missing(catalog: Catalog, keys: Mapping[str, str]) -> Iterator[Problem]:
    """A warning for each key that a catalog names and that is not there, at its first place."""
    seen: set[str] = set()
    for table in catalog.tables.values():
        for place, provider in enumerate(table.providers.values()):
            names = [credential.key for credential in provider.credentials]
            others = any(name in keys for name in names)
            for number, name in enumerate(names):
                if name in keys or name in seen:
                    continue
                seen.add(name)
                then = "its others are used" if others else "its models are not used"
                yield Problem(
                    Severity.WARNING,
                    f"no key {name} for provider {provider.name}: {then}",
                    path=f"spec.providers[{place}].credentials[{number}].key",
                    resource=f"RoutingTable/{table.name}",
                )


def names_in(catalog: Catalog) -> list[str]:
    """The names of all keys that a catalog's providers use."""
    return sorted(
        {
            credential.key
            for table in catalog.tables.values()
            for provider in table.providers.values()
            for credential in provider.credentials
        }
    )
