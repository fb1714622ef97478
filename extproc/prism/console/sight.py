"""What the console sees of the server that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from prism.exchange.targets import Live
from prism.ledger.store import Store
from prism.routing.catalog import Catalog
from prism.routing.record import Record


@dataclass(frozen=True, slots=True)
class Sight:
    """Each is called on the event loop and gives values that don't change afterwards.

    ``store`` is the ledger, ``None`` where there is none. ``record`` and ``records`` give the
    newest decisions of this process, by id and so many of them. ``catalogs`` are the one that is
    live and the one that was before it. ``status`` is what ``/status`` of the admin endpoints says.
    """

    store: Store | None
    record: Callable[[str], Record | None]
    records: Callable[[int], list[Record]]
    live: Callable[[], Live | None]
    catalogs: Callable[[], tuple[Catalog | None, Catalog | None]]
    status: Callable[[], Mapping[str, Any]]
