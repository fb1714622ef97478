"""Provider keys: files of a mounted folder, else environment variables. Never logged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

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
