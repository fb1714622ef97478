"""List prices from the package ``genai-prices``, which ships them (nothing is downloaded)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from prism.calibrate.measured import Listed, Origin
from prism.routing.catalog import Price

_HOURS = range(24)


def listed_prices(
    models: Sequence[Mapping[str, Any]], providers: Sequence[Mapping[str, Any]], day: datetime
) -> dict[str, Listed]:
    """Prices on ``day`` of those models of a table's spec that the package knows.

    A provider is found by its base URL, a model by its upstream name. Of prices that differ by
    the hour the dearest counts; of those that differ by the length of the prompt, the shortest.
    Raises ``ImportError`` where the package is missing.
    """
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    urls = {provider["name"]: provider["baseURL"] for provider in providers}
    origin = Origin(f"genai-prices {version('genai-prices')}", f"{day:%Y-%m-%d}")
    found: dict[str, Listed] = {}
    for model in models:
        name = model.get("upstreamName", model["name"])
        try:
            _, info = snapshot.find_provider_model(name, None, None, urls[model["provider"]])
        except LookupError:
            continue
        if (price := _dearest(info, day)) is not None:
            found[model["name"]] = Listed(price, origin)
    return found


def listed_price(model: str, provider: str | None, day: datetime) -> Price | None:
    """The price on ``day`` of a model by its name, with its provider's name as a hint, or
    ``None``. Raises ``ImportError`` where the package is missing."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, info = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    return _dearest(info, day)


def _dearest(info: Any, day: datetime) -> Price | None:
    hours = (datetime.combine(day, time(hour), UTC) for hour in _HOURS)
    prices = [price for price in map(_price, map(info.get_prices, hours)) if price is not None]
    return max(prices, key=lambda price: (price.output, price.input), default=None)


def _price(said: Any) -> Price | None:
    prompt, answer = _base(said.input_mtok), _base(said.output_mtok)
    if prompt is None or answer is None:
        return None
    cached, written = _base(said.cache_read_mtok), _base(said.cache_write_mtok)
    return Price(
        prompt,
        answer,
        prompt if cached is None else cached,
        prompt if written is None else written,
    )


def _base(price: Any) -> float | None:
    if price is None:
        return None
    return float(price if isinstance(price, Decimal | int | float) else price.base)
