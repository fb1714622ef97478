"""Whether the operator is there, and since when: for ``/status`` and the log."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

log = logging.getLogger(__name__)


class Link:
    """The state of a replica's connection to the operator. Only changes are logged."""

    def __init__(self, replica: str) -> None:
        self._replica = replica
        self._address: str | None = None
        self._reason = "not connected yet"
        self._since = datetime.now(UTC)

    def up(self, address: str) -> None:
        """The leader at ``address`` has taken the stream."""
        if self._address != address:
            log.info("connected to the operator at %s", address)
            self._address, self._reason, self._since = address, "", datetime.now(UTC)

    def down(self, reason: str) -> None:
        """There is no stream, and why."""
        if self._address is not None:
            self._since = datetime.now(UTC)
        elif reason == self._reason:
            return
        log.warning("the operator is away, what is live stays: %s", reason)
        self._address, self._reason = None, reason

    def to_json(self) -> dict[str, Any]:
        """``since`` is when it connected, or when it went away (RFC 3339)."""
        return {
            "replica": self._replica,
            "operator": {
                "connected": self._address is not None,
                "address": self._address,
                "since": self._since.isoformat(timespec="seconds"),
                "reason": self._reason or None,
            },
        }
