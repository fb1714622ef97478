"""``prism key``: API keys of projects. Only their hashes go into resources."""

from __future__ import annotations

import json
import re
import secrets
import sys

import click

_PREFIX = "prism-"
_BYTES = 32
# As the schema of ProjectPolicy has both.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def _named(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _NAME.fullmatch(value):
        rule = "up to 63 letters, digits, '.', '_' and '-', a letter or digit at both ends"
        raise click.BadParameter(f"{value!r} is not {rule}")
    return value


@click.group("key")
def command() -> None:
    """Make API keys for projects, and the hashes of keys that ProjectPolicies hold."""


@command.command("new", short_help="Make a key, with the entry for the ProjectPolicy.")
@click.option("--project", required=True, callback=_named, help="The project that gets the key.")
@click.option("--name", callback=_named, help="A name to know the key by.")
def new(project: str, name: str | None) -> None:
    """Make a key and print it, this once, with the line for the ProjectPolicy.

    Standard output has two lines: the key, and the entry with its hash.
    """
    key = _PREFIX + secrets.token_urlsafe(_BYTES)
    click.echo(key)
    click.echo(_entry(key, name))
    click.echo(
        f"\nThe key is shown only now: hand it to {project}. Paste the second line under\n"
        f"spec.apiKeys of the ProjectPolicy that has project: {project}.",
        err=True,
    )


@command.command("hash", short_help="Print the entry for a key that you have.")
@click.option("--name", callback=_named, help="A name to know the key by.")
def hash_key(name: str | None) -> None:
    """Read a key from standard input and print the entry for the ProjectPolicy."""
    if sys.stdin.isatty():
        key = click.prompt("Key", hide_input=True, err=True)
    else:
        try:
            key = sys.stdin.buffer.read().decode()
        except UnicodeDecodeError:
            raise click.UsageError("the key on standard input is not UTF-8") from None
    key = key.strip()
    if not key or any(character.isspace() for character in key):
        raise click.UsageError("give one key, without spaces, on standard input")
    click.echo(_entry(key, name))


def _entry(key: str, name: str | None) -> str:
    from prism.resources import key_hash

    # In quotes: YAML would read some hashes and names as numbers or booleans.
    named = f", name: {json.dumps(name)}" if name else ""
    return f'- {{sha256: "{key_hash(key)}"{named}}}'
