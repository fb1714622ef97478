"""The options that say where the console listens, and who may look."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from prism.cli.listening import HostPort

if TYPE_CHECKING:
    from prism.serve.consoling import ConsoleSettings

VARIABLE = "PRISM_CONSOLE_TOKEN"
"""A token has no place among a process's arguments, where everybody can read it."""
Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--console",
        type=HostPort(),
        help="Where the console listens, if anywhere: web pages of decisions, spend and health. "
        "Beyond this machine it needs a token.",
    ),
    click.option(
        "--console-token",
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"File of the console's token, read each time.  [default: {VARIABLE}]",
    ),
)


def console_options(command: Command) -> Command:
    """Both options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def console_settings(
    console: tuple[str, int] | None, token_file: Path | None
) -> ConsoleSettings | None:
    """What the options ask for; fails where the console would be open to everybody."""
    if console is None:
        if token_file is not None:
            raise click.UsageError("--console-token needs --console")
        return None
    from prism.console.access import Access, NoToken, Token
    from prism.serve.consoling import ConsoleSettings

    value = os.environ.get(VARIABLE, "").strip()
    token = Token(value, token_file) if value or token_file is not None else None
    host, port = console
    try:
        return ConsoleSettings(host, port, Access.where(host, token))
    except NoToken as error:
        raise click.UsageError(str(error)) from None


def console_arguments(console: tuple[str, int] | None, token_file: Path | None) -> list[str]:
    """The same options for ``prism serve``; a token of the environment goes with that."""
    console_settings(console, token_file)
    if console is None:
        return []
    host = f"[{console[0]}]" if ":" in console[0] else console[0]
    found = ["--console", f"{host}:{console[1]}"]
    return found if token_file is None else [*found, "--console-token", str(token_file)]
