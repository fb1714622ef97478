"""``prism demo``: everything on one machine, to try things on."""

from __future__ import annotations

from pathlib import Path

import click

from prism.cli.listening import HostPort, log_level, start_logging


@click.command("demo")
@click.option(
    "--listen",
    type=HostPort(),
    default="127.0.0.1:8080",
    show_default=True,
    help="Where the gateway listens; port 0 picks a free one.",
)
@click.option(
    "--credentials",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with one file per provider key, used before the environment.",
)
@click.option(
    "--simulate-all", is_flag=True, help="Simulate every provider, whatever keys there are."
)
@log_level
def command(
    listen: tuple[str, int], credentials: Path | None, simulate_all: bool, log_level: str
) -> None:
    """Start a gateway with simulated providers to try things on.

    A provider whose key is in the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY,
    GEMINI_API_KEY, DEEPSEEK_API_KEY, MISTRAL_API_KEY) or in the credentials folder is used
    for real, and costs real money; the others are simulated on this machine.

    Ctrl-C ends everything.
    """
    from prism.cli.demonstration import Demonstration, run_demonstration

    start_logging("warning" if log_level == "info" else log_level)
    run_demonstration(Demonstration(listen, credentials, simulate_all, log_level))
