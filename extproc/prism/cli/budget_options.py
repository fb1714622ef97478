"""The options that say where replicas share their budgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from prism.serve.server import BudgetSettings

STORE_VARIABLE = "PRISM_BUDGET_STORE"
"""A password has no place among a process's arguments, where everybody can read it."""
Command = TypeVar("Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--budget-store",
        envvar=STORE_VARIABLE,
        show_envvar=True,
        metavar="URL",
        help="Where replicas share budgets: Redis or Valkey, redis://[:PASSWORD@]HOST:PORT/DB or "
        "rediss:// with TLS.  [default: each replica counts by itself]",
    ),
    click.option(
        "--budget-away",
        type=click.Choice(["open", "closed"]),
        default="open",
        show_default=True,
        help="While that store is away: open counts by itself, closed answers 503 to requests "
        "under a budget that refuses.",
    ),
)


def budget_options(command: Command) -> Command:
    """What a server is told of its budgets."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def budget_settings(store: str | None, away: str) -> BudgetSettings:
    """What the options ask for; fails where the address is none."""
    from prism.serve.server import BudgetSettings
    from prism.serve.spending import Away

    check_store(store)
    return BudgetSettings(store or None, Away(away))


def check_store(store: str | None) -> None:
    """Fail where the address is none; it is not repeated, since it may hold a password."""
    from redis.connection import parse_url

    if not store:
        return
    try:
        parse_url(store)  # type: ignore[no-untyped-call]  # redis has no types for it
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--budget-store") from None
