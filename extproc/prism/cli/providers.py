"""``prism providers``: run the simulated providers until told to stop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from prism.providers import ProviderSpec, SimulatedProviders

_DEFAULT = ("openai", "anthropic")


def _address(_: click.Context, __: click.Parameter, value: str) -> tuple[str, int]:
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise click.BadParameter(f"{value!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


@click.command("providers")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:9000",
    show_default=True,
    callback=_address,
    help="Where to listen; port 0 takes a free one.",
)
@click.option(
    "--provider",
    "names",
    metavar="NAME",
    multiple=True,
    help="A provider that answers for any model; may be given several times.",
)
@click.option(
    "--from-table",
    "table",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take providers, models and their latency from the RoutingTable in FILE.",
)
@click.option(
    "--jitter",
    type=click.FloatRange(0, 5),
    default=0.0,
    help="Spread the table's latencies: sigma of a lognormal factor (0.5 has a busy tail).",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides all chance.")
def command(
    listen: tuple[str, int],
    names: tuple[str, ...],
    table: Path | None,
    jitter: float,
    seed: int,
) -> None:
    """Run simulated providers on one port, for trying things and for measuring.

    They speak OpenAI's API (and Anthropic's Messages) at http://HOST:PORT/PROVIDER/v1, accept
    any key, and fail when told to over /_control/. Ctrl-C ends them.
    """
    # Imported here so that "prism --help" does not load a web server.
    import uvloop

    from prism.providers import SimulatedProviders

    specs = _specs(names, table, jitter)
    host, port = listen
    try:
        uvloop.run(_serve(SimulatedProviders(specs, port, host=host, seed=seed)))
    except OSError as problem:
        raise click.ClickException(f"cannot listen on {host}:{port}: {problem}") from None


def _specs(names: Sequence[str], table: Path | None, jitter: float) -> list[ProviderSpec]:
    from prism.providers import ProviderSpec, specs_from_table

    specs: dict[str, ProviderSpec] = {}
    if table is not None:
        try:
            found = specs_from_table(table.read_text(), jitter=jitter)
        except ValueError as problem:
            raise click.ClickException(f"{table}: {problem}") from None
        specs = {spec.name: spec for spec in found}
    elif not names:
        names = _DEFAULT
    for name in names:
        specs.setdefault(name, ProviderSpec(name))
    return list(specs.values())


async def _serve(providers: SimulatedProviders) -> None:
    import asyncio
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with providers:
        _print(providers)
        await stop.wait()


def _print(providers: SimulatedProviders) -> None:
    rows = [("PROVIDER", "BASE URL", "MODEL", "FIRST TOKEN", "TOKENS/S")]
    for spec in providers.specs.values():
        url = providers.url(spec.name)
        if spec.models is None:
            rows.append((spec.name, url, "(any)", "at once", ""))
        for model, timing in (spec.models or {}).items():
            first = f"{timing.time_to_first_token_ms:g} ms"
            rows.append((spec.name, url, model, first, f"{timing.tokens_per_second:g}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.secho(line.rstrip(), bold=number == 0)
    first = next(iter(providers.specs))
    control = f"{providers.origin}/_control"
    click.echo(f"\nListening on {providers.origin}")
    click.echo(f"Faults and what was received: {control}/\n\nMake a provider fail three times:")
    fault = '{"kind": "status", "status": 503, "times": 3}'
    click.echo(f"  curl -X PUT {control}/faults/{first} -d '{fault}'")
