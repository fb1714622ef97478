"""``prism bootstrap``: the configuration that an Envoy beside ``prism serve`` starts with."""

from __future__ import annotations

from pathlib import Path

import click

from prism.cli.listening import (
    envoy_admin_option,
    listen_option,
    max_body_option,
    prism_timeout_option,
    socket_option,
    telemetry_settings,
)


@click.command("bootstrap")
@listen_option
@socket_option
@envoy_admin_option
@max_body_option
@prism_timeout_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, whole or not at all.  [default: standard output]",
)
def command(
    listen: tuple[str, int],
    socket: Path,
    envoy_admin: Path,
    max_body: int,
    prism_timeout: float,
    out: Path | None,
) -> None:
    """Print the bootstrap (JSON) for an Envoy that runs beside "prism serve".

    Give both the same --socket and --envoy-admin, and run both as one user: only that user
    may open them. "prism run" starts its own Envoy with the same configuration. With
    OTEL_EXPORTER_OTLP_ENDPOINT in the environment, Envoy sends traces there.
    """
    from prism.envoy.bootstrap import MEBIBYTE, Settings, bootstrap_json
    from prism.serve.authorities import ca_file

    host, port = listen
    if port == 0:
        raise click.BadParameter("port 0 is for prism run; name one", param_hint="--listen")
    tracing = telemetry_settings().tracing(ca_file())
    text = bootstrap_json(
        Settings(
            host=host,
            port=port,
            socket=str(socket.absolute()),
            admin_socket=str(envoy_admin.absolute()),
            max_body=max_body * MEBIBYTE,
            message_timeout_ms=round(prism_timeout * 1000),
            tracing=tracing,
        )
    )
    if out is None:
        click.echo(text)
        return
    try:
        new = out.with_name(f"{out.name}.new")
        new.write_text(text + "\n", "utf-8")
        if tracing is not None and tracing.headers:
            # The collector's key may be among them.
            new.chmod(0o600)
        new.replace(out)
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}") from None
