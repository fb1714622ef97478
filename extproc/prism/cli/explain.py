"""``prism explain``: why a request went where it went, or where it would go."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from prism.cli.ledger_options import NONE, ledger_address, ledger_option, prompt_key_option

if TYPE_CHECKING:
    from prism.ledger.prompts import KeptPrompt

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class Keeping(NamedTuple):
    """Whether the prompt is to be shown, and the file of the keys that open it."""

    wanted: bool
    key: Path | None


@click.command("explain")
@click.argument("what", metavar="DECISION-ID | REQUEST-FILE")
@ledger_option
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the ledger.  [default: ~/.local/state/prism]",
)
@click.option("--config", type=_FOLDER, help="Decide the request in a file by this folder instead.")
@click.option("--project", help="With --config: decide as for this project.")
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME:VALUE",
    help="With --config: a header of the request, such as 'X-Prism-Mode: eco'.",
)
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --config: classifier to use in place of the one that Prism ships.",
)
@click.option("--prompt", is_flag=True, help="Show the prompt, too, where its project keeps it.")
@prompt_key_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as POST /v1/prism/route does.")
def command(
    what: str,
    ledger: str | None,
    state: Path | None,
    config: Path | None,
    project: str | None,
    headers: tuple[str, ...],
    model: Path | None,
    prompt: bool,
    prompt_key: Path | None,
    as_json: bool,
) -> None:
    """Say why a request went to its model: every step, every candidate, what came of it.

    DECISION-ID is that of the answer's X-Prism-Decision-Id; the ledger has it half a second
    after the decision. With --config, REQUEST-FILE is the body of a chat request ("-": standard
    input), decided as the gateway would decide it while every model is well; nothing is sent.
    """
    if config is None:
        for name, value in (("--project", project), ("--header", headers), ("--model", model)):
            if value:
                raise click.UsageError(f"{name} needs --config")
        said = _kept(what, ledger, state, Keeping(prompt, prompt_key))
    elif prompt:
        raise click.UsageError("--prompt shows what the ledger has; leave out --config")
    else:
        said = _previewed(what, config, project, headers, model)
    _print(said, as_json)


def _print(said: dict[str, Any], as_json: bool) -> None:
    from prism.routing.tree import tree

    if as_json:
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        # What clients and models wrote must not steer a terminal.
        click.echo(_CONTROL.sub("\ufffd", tree(said)), nl=False)


def _kept(
    decision_id: str, ledger: str | None, state: Path | None, keeping: Keeping
) -> dict[str, Any]:
    from prism.ledger.finding import find
    from prism.ledger.prompts import find_prompt
    from prism.ledger.store import Away, Store, WrongVersion
    from prism.routing.explanation import explanation_of

    address = ledger_address(ledger, state)
    if address is None:
        raise click.UsageError(f"--ledger is {NONE}: decisions are explained from a ledger")
    store = Store(address)
    try:
        store.check()
        with store.reading() as connection:
            entry = find(connection, decision_id)
            kept = find_prompt(connection, decision_id) if keeping.wanted else None
    except (Away, WrongVersion) as error:
        raise click.ClickException(str(error)) from None
    finally:
        store.close()
    if entry is None:
        hint = ""
        if Path(decision_id).exists():
            hint = "; it is a file: with --config, a request is decided"
        raise click.ClickException(f"no decision {decision_id!r} in the ledger at {address}{hint}")
    said = explanation_of(entry.record, entry.cost_usd, entry.feedback)
    if keeping.wanted:
        said["prompt"] = _prompt(decision_id, kept, keeping.key)
    return said


def _prompt(decision_id: str, kept: KeptPrompt | None, key: Path | None) -> str | None:
    """The words of a kept prompt; fails where they can't be read."""
    from prism.ledger.sealing import Keys, NoKey, opened

    if kept is None:
        return None
    try:
        return opened(decision_id, kept.how, kept.kept, Keys(key))
    except NoKey as missing:
        raise click.ClickException(str(missing)) from None


def _previewed(
    file: str, config: Path, project: str | None, headers: tuple[str, ...], model: Path | None
) -> dict[str, Any]:
    from prism.classify import Classifier, ModelRefused
    from prism.cli.preview import Unanswerable, preview

    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return preview(config, body, dict(map(_header, headers)), project, Classifier(model))
    except (OSError, ModelRefused, Unanswerable) as error:
        raise click.ClickException(str(error)) from None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"{text!r} is not NAME:VALUE", param_hint="--header")
    return name.strip().lower(), value.strip()
