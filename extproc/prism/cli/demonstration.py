"""What ``prism demo`` does: a copy of the example with simulated providers put in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import uvloop
import yaml

import prism
from prism.cli.gateway import Gateway, run_folder, run_settings, supervise
from prism.cli.ledger_options import NAME
from prism.providers import SimulatedProviders, specs_from_table
from prism.serve.credentials import Credentials
from prism.serve.supervisor import free_port

KEY = "prism-demo"
"""The key of the example's project without restrictions; it is public."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """The options of ``prism demo``."""

    listen: tuple[str, int]
    credentials: Path | None
    simulate_all: bool
    log_level: str


def run_demonstration(options: Demonstration) -> None:
    """Start everything and stay until Ctrl-C."""
    with run_folder() as folder:
        uvloop.run(_demonstrate(options, folder))


async def _demonstrate(options: Demonstration, folder: Path) -> None:
    example = _example()
    table = yaml.safe_load((example / "table.yaml").read_text("utf-8"))
    providers = table["spec"]["providers"]
    real = set() if options.simulate_all else _with_keys(providers, options.credentials)
    specs = [
        spec
        for spec in specs_from_table((example / "table.yaml").read_text("utf-8"))
        if spec.name not in real
    ]
    async with SimulatedProviders(specs) as simulated:
        config = folder / "config"
        _write(config, example, table, {spec.name: simulated.url(spec.name) for spec in specs})
        admin, console = (f"127.0.0.1:{free_port('127.0.0.1')}" for _ in range(2))
        arguments = ["--config", str(config), "--state", str(folder), "--admin", admin]
        arguments += ["--console", console]
        arguments += [
            "--log-level",
            "warning" if options.log_level == "info" else options.log_level,
        ]
        if options.credentials is not None:
            arguments += ["--credentials", str(options.credentials)]
        gateway = Gateway(options.listen, 32, 2.0, 5.0, None, None, arguments)

        def ready(url: str) -> None:
            click.echo(_welcome(url, (admin, console), config, table, real))

        click.echo("Starting Envoy, Prism and the simulated providers …")
        await supervise(run_settings(gateway, folder), ready)
    click.echo("All ended.")


def _example() -> Path:
    """The example's folder: beside the source, or inside an installed package."""
    package = Path(prism.__file__).parent
    return next(
        folder
        for folder in (package / "examples" / "demo", package.parents[1] / "examples" / "demo")
        if folder.is_dir()
    )


def _with_keys(providers: Sequence[Mapping[str, Any]], folder: Path | None) -> set[str]:
    """The names of the providers whose key is there."""
    keys = {p["name"]: [c["key"] for c in p.get("credentials", [])] for p in providers}
    found = Credentials(folder).read(name for names in keys.values() for name in names)
    return {provider for provider, names in keys.items() if any(name in found for name in names)}


def _write(config: Path, example: Path, table: dict[str, Any], urls: Mapping[str, str]) -> None:
    config.mkdir()
    for provider in table["spec"]["providers"]:
        if provider["name"] in urls:
            provider["baseURL"] = urls[provider["name"]]
            provider["credentials"] = []
    text = yaml.safe_dump(table, sort_keys=False, allow_unicode=True, width=100)
    (config / "table.yaml").write_text(text, "utf-8")
    policies = (example / "policies.yaml").read_text("utf-8")
    (config / "policies.yaml").write_text(policies, "utf-8")


def _welcome(
    url: str, own: tuple[str, str], config: Path, table: Mapping[str, Any], real: set[str]
) -> str:
    """``own`` are the addresses of the admin endpoints and of the console."""
    admin, console = own
    rows = []
    for provider in table["spec"]["providers"]:
        name = provider["name"]
        models = [m["name"] for m in table["spec"]["models"] if m["provider"] == name]
        # Padded before it is coloured: the escapes of a colour have no width on the terminal.
        kind = click.style(f"{'real':<12}", fg="yellow") if name in real else f"{'simulated':<12}"
        rows.append(f"  {name:<12}{kind}{', '.join(models)}")
    providers = "\n".join(rows)
    return f"""
{click.style("Prism Router is running.", bold=True)}

  gateway     {url}/v1
  console     http://{console}
  decisions   http://{admin}/decisions
  explain     prism explain --ledger {config.parent / NAME} DECISION-ID
  config      {config}  (edit a file: it is live at once)

  providers
{providers}

Ask something; the answer's headers say who answered and why:

  curl -si {url}/v1/chat/completions \\
    -H 'Authorization: Bearer {KEY}' -H 'Content-Type: application/json' \\
    -d '{{"model": "auto", "messages": [{{"role": "user", "content": "Capital of France?"}}]}}'

With the OpenAI SDK:

  from openai import OpenAI
  client = OpenAI(base_url="{url}/v1", api_key="{KEY}")
  answer = client.chat.completions.create(
      model="auto",
      messages=[{{"role": "user", "content": "Write a binary search in Rust."}}],
      extra_body={{"prism": {{"mode": "eco"}}}},
  )
  print(answer.model, answer.choices[0].message.content)

Ctrl-C ends everything.
"""
