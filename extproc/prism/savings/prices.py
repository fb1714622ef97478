"""What a model of a log costs: the table's price, else a list price from genai-prices."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from prism.routing.catalog import Model, Price, Table

_DATED = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")
_MOST = 10_000
"""Names whose price is remembered; a log with more has something else in that place."""

Listed = Callable[[str, str | None], Price | None]
"""Finds the list price of a model by its name and, where known, its provider's."""


@dataclass(frozen=True, slots=True)
class Priced:
    """A model of a log: the name it is counted under, what it costs, and which model of the
    table it is, ``None`` where it is none."""

    name: str
    price: Price
    model: Model | None


class Prices:
    """Looks prices up, each name once."""

    def __init__(self, table: Table, listed: Listed) -> None:
        self._by_name = {model.upstream_name: model for model in table.models.values()}
        self._by_name |= table.models
        self._listed = listed
        self._known: dict[tuple[str, str | None], Priced | None] = {}

    def of(self, model: str, provider: str | None = None) -> Priced | None:
        """The price of a model, ``None`` where nobody knows one."""
        key = model, provider
        if key not in self._known:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = self._find(model, provider)
        return self._known[key]

    def _find(self, model: str, provider: str | None) -> Priced | None:
        # LiteLLM and OpenRouter put the provider before the name, with a slash.
        owner, slash, bare = model.rpartition("/")
        names = [model, bare] if slash else [model]
        for name in [*names, *(_DATED.sub("", name) for name in names)]:
            if (own := self._by_name.get(name)) is not None:
                return Priced(own.name, own.price, own)
        hints = [(name, hint) for name in names for hint in (provider, owner or None, None)]
        for name, hint in dict.fromkeys(hints):
            if (price := self._listed(name, hint)) is not None:
                return Priced(model, price, None)
        return None


def nothing_listed(model: str, provider: str | None) -> Price | None:
    """No list prices: only models of the table have one."""
    return None
