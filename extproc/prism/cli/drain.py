"""``prism drain``: an Envoy finishes its requests before its pod ends."""

from __future__ import annotations

from pathlib import Path

import click

from prism.cli.listening import envoy_admin_option


@click.command("drain")
@envoy_admin_option
@click.option(
    "--linger",
    type=click.FloatRange(0, 3600),
    default=5,
    show_default=True,
    metavar="SECONDS",
    help="How long new requests are still answered, until load balancers have noticed.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long requests under way may take after that.",
)
def command(envoy_admin: Path, linger: float, seconds: float) -> None:
    """Have an Envoy finish the requests under way; returns once it is idle.

    Answers say "connection: close" from the first moment on. New requests are taken during
    --linger; then those under way have --seconds. For the preStop hook of a pod.
    """
    import asyncio

    from prism.serve.draining import drained
    from prism.serve.envoy_admin import EnvoyAdmin

    async def main() -> bool:
        return await drained(EnvoyAdmin(envoy_admin), seconds, asyncio.Event(), linger_s=linger)

    if not asyncio.run(main()):
        click.echo("Some requests were still under way, or Envoy did not answer.", err=True)
