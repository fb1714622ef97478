"""Pages from templates: every value is escaped, charts are put in as they are."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from prism.routing.cost import usd

_PLAIN = 0.0001
"""Below it Python writes numbers with an exponent."""


def page(template: str, **values: Any) -> str:
    """The HTML of ``templates/NAME.html`` with ``values``."""
    text: str = _environment().get_template(f"{template}.html").render(values)
    return text


def inline(svg: str) -> Markup:
    """A chart, to be put into a page unescaped."""
    return Markup(svg)  # noqa: S704 (made by matplotlib, which escapes its texts)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("prism.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["usd"] = _usd
    environment.filters["percent"] = _percent
    return environment


def _usd(amount: float) -> str:
    """Dollars with cents, and with more digits where cents say nothing."""
    if abs(amount) >= 1 or amount == 0:
        return f"${amount:,.2f}"
    return f"${amount:.3g}" if abs(amount) >= _PLAIN else usd(amount)


def _percent(share: float) -> str:
    return f"{share:.1%}"
