"""Numbers of options: "nan" and "inf" are none, since no bound holds for them."""

from __future__ import annotations

import math

import click


class Finite(click.FloatRange):
    """A finite number, within bounds where they are given."""

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)  # type: ignore[arg-type]
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number
