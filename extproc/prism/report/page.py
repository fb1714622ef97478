"""Pages from templates: every value is escaped, charts are put in as they are."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from prism.routing.cost import usd as exact_usd

_PLAIN = 0.0001
"""Below it Python writes numbers with an exponent."""


def page(template: str, **values: Any) -> str:
    """The HTML of ``templates/NAME.html`` with ``values``."""
    text: str = environment("prism.report").get_template(f"{template}.html").render(values)
    return text


def inline(svg: str) -> Markup:
    """A chart, to be put into a page unescaped."""
    return Markup(svg)  # noqa: S704 (made by matplotlib, which escapes its texts)


def environment(package: str) -> Environment:
    """The templates of a package, with the filters ``usd`` and ``percent``."""
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["usd"] = usd
    made.filters["percent"] = percent
    return made


def usd(amount: float) -> str:
    """Dollars with cents, and with more digits where cents say nothing."""
    if amount < 0:
        return f"-{usd(-amount)}"
    if amount >= 1 or amount == 0:
        return f"${amount:,.2f}"
    return f"${amount:.3g}" if amount >= _PLAIN else exact_usd(amount)


def percent(share: float) -> str:
    """A share, 0 to 1, as a percentage with one digit."""
    return f"{share:.1%}"
