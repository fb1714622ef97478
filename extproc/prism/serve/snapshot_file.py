"""A snapshot in a file: the last good configuration, or the one that the operator stored."""

from __future__ import annotations

import logging
from pathlib import Path

from prism.serve.source import BrokenConfiguration, Offer, Origin, compiled
from prism.wire import snapshot
from prism.wire.snapshot import BadSnapshot

log = logging.getLogger(__name__)


class SnapshotFile:
    """One snapshot on disk. What can't be read counts as not there, and is logged."""

    def __init__(self, path: Path, origin: Origin) -> None:
        self._path = path
        self._origin = origin

    def written(self) -> float:
        """When the file was last written (seconds since the epoch); 0 where there is none."""
        try:
            return self._path.stat().st_mtime
        except OSError:
            return 0.0

    def save(self, offer: Offer) -> None:
        """Keep a configuration; a full or read-only disk is logged and costs only this."""
        temporary = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            encoded = snapshot.encode(offer.catalog.version, offer.resources)
            temporary.write_bytes(snapshot.pack(encoded))
            temporary.replace(self._path)
        except OSError as error:
            log.warning("the last good configuration can't be kept: %s", error)

    def load(self) -> Offer | None:
        """The configuration in the file, if there is one that can be used."""
        try:
            resources = snapshot.decode(snapshot.unpack(self._path.read_bytes()))
            return compiled(self._origin, resources)
        except FileNotFoundError:
            return None
        except (OSError, BadSnapshot, BrokenConfiguration) as error:
            reason = str(error)
        except Exception as error:  # written by another version of Prism
            reason = f"{type(error).__name__}: {error}"
        # No configuration is better than a guess.
        log.error("the %s in %s can't be used: %s", self._origin, self._path, reason)
        return None
