"""Attributes as OTLP has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.util.types import AttributeValue


def add(attributes: Any, name: str, value: AttributeValue) -> None:
    """Put an attribute to a message's (a repeated ``KeyValue``)."""
    pair = attributes.add(key=name)
    kind = type(value)
    if kind is str:
        pair.value.string_value = value
    elif kind is bool:
        pair.value.bool_value = value
    elif kind is int:
        pair.value.int_value = value
    elif kind is float:
        pair.value.double_value = value
    elif isinstance(value, (list, tuple)):
        # Not left out where it is empty: then it is an empty list.
        pair.value.array_value.SetInParent()
        items = pair.value.array_value.values
        for item in value:
            items.add().string_value = str(item)
    else:
        raise TypeError(f"an attribute can't be a {kind.__name__}")


def add_all(attributes: Any, found: Mapping[str, AttributeValue]) -> None:
    """Put each of them to a message's."""
    for name, value in found.items():
        add(attributes, name, value)
