"""The ``prism`` command: one module per verb, imported only when the verb runs.

A verb is a module of this package with a click command named ``command``.
"""

from __future__ import annotations

import importlib

import click

from prism import __version__

VERBS: dict[str, str] = {
    "run": "Run the gateway from a folder of resources.",
    "demo": "Start a gateway with simulated providers to try things on.",
    "validate": "Check resources and print every problem with its place.",
    "explain": "Say why a request went to its model, or where it would go.",
    "classify": "Classify JSON lines from standard input.",
    "train": "Fit the classifier to your own labels.",
    "calibrate": "Make a routing table of measurements.",
    "evaluate": "Set tables against graded answers.",
    "simulate": "Make the decisions of the ledger again under another configuration.",
    "savings": "What a log of requests cost, and would have cost per mode.",
    "budget": "Show what projects have spent of their budgets.",
    "key": "Make API keys for projects.",
    "providers": "Run the simulated providers.",
    "serve": "Run only the external processor (Envoy runs elsewhere).",
    "bootstrap": "Print the configuration that such an Envoy starts with.",
    "drain": "Have such an Envoy finish its requests.",
}


class Verbs(click.Group):
    """Lists the verbs without importing them, so that ``prism --help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"prism.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="prism")
def main() -> None:
    """Prism Router sends each LLM request to the cheapest model that does it well.

    It runs inside an Envoy gateway as an external processor. Apps keep their OpenAI client
    and change only its base URL.
    """
