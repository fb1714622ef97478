"""Files that a command writes: what can't be written is told before the work, not after it."""

from __future__ import annotations

import os
from pathlib import Path

import click


class Output(click.Path):
    """A file to write. Its folder must be there, and the file, where it is one already, writable;
    ``/dev/stdout`` and the like are files as well."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        path = Path(os.fspath(super().convert(value, param, ctx)))  # type: ignore[arg-type]
        if not path.parent.is_dir():
            self.fail(f"there is no folder {str(path.parent)!r}", param, ctx)
        if not path.exists() and not os.access(path.parent, os.W_OK):
            self.fail(f"the folder {str(path.parent)!r} is not writable", param, ctx)
        return path


def write(path: Path, text: str) -> None:
    """Write the text as UTF-8. Raises ``ClickException`` where the disk says no."""
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from None
