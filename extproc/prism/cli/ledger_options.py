"""The options that say where the ledger is and how much it keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from prism.ledger.address import Address
    from prism.ledger.retention import Bounds

VARIABLE = "PRISM_LEDGER"
"""A password has no place among a process's arguments, where everybody can read it."""
PROMPT_KEY_VARIABLE = "PRISM_PROMPT_KEY"
NAME = "ledger.db"
NONE = "none"
_DAY_S = 86_400
_GIBIBYTE = 1024**3
Command = TypeVar("Command", bound=Callable[..., Any])

ledger_option = click.option(
    "--ledger",
    envvar=VARIABLE,
    show_envvar=True,
    metavar="URL",
    help="Where decisions are kept: a file of SQLite, or postgresql://USER:PASSWORD@HOST/DATABASE; "
    f'"none" keeps none.  [default: {NAME} in the folder of --state]',
)
prompt_key_option = click.option(
    "--prompt-key",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=PROMPT_KEY_VARIABLE,
    show_envvar=True,
    help="File with the keys for prompts that projects keep encrypted, one a line; the first "
    "encrypts. Read again when it changes.",
)
_BOUNDS = (
    click.option(
        "--ledger-retention",
        type=click.FloatRange(min=0, min_open=True, max=36_500),
        default=30,
        show_default=True,
        metavar="DAYS",
        help="Decisions older than this are thrown away.",
    ),
    click.option(
        "--ledger-size",
        type=click.FloatRange(min=0, min_open=True),
        default=4,
        show_default=True,
        metavar="GIB",
        help="The oldest decisions are thrown away while all take more than this.",
    ),
)


def ledger_options(command: Command) -> Command:
    """What a server is told of its ledger."""
    for option in reversed((ledger_option, prompt_key_option, *_BOUNDS)):
        command = option(command)
    return command


def ledger_address(ledger: str | None, state: Path | None) -> Address | None:
    """Where the ledger is, ``None`` for nowhere; fails where that is no place."""
    from prism.ledger.address import Address, BadAddress
    from prism.serve.folder import state_folder

    if ledger == NONE:
        return None
    if not ledger:
        return Address.file((state or state_folder()) / NAME)
    try:
        return Address.parse(ledger)
    except BadAddress as bad:
        raise click.BadParameter(str(bad), param_hint="--ledger") from None


def check_prompt_key(file: Path | None) -> None:
    """Fail where the file is given and holds no keys: a server must not start to lose prompts."""
    from prism.ledger.sealing import Keys, NoKey

    if file is None:
        return
    try:
        Keys(file).current()
    except NoKey as missing:
        raise click.BadParameter(str(missing), param_hint="--prompt-key") from None


def ledger_bounds(days: float, gibibytes: float) -> Bounds:
    """What the options ask for."""
    from prism.ledger.retention import Bounds

    return Bounds(days * _DAY_S, round(gibibytes * _GIBIBYTE))
