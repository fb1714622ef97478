"""Where a ledger is: a file of SQLite or a PostgreSQL database, as people write it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_POSTGRES = "postgresql+psycopg"
_DRIVERS = {"sqlite": "sqlite", "postgresql": _POSTGRES, "postgres": _POSTGRES}
_FORMS = "a path, sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE"


class BadAddress(ValueError):
    """The text is no address of a ledger; the message says what one looks like."""


@dataclass(frozen=True, slots=True)
class Address:
    """``url`` is what SQLAlchemy takes. ``str()`` leaves the password out."""

    url: URL

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises ``BadAddress``; no message repeats a password."""
        if "://" not in text:
            return cls.file(Path(text))
        scheme = text.partition("://")[0]
        driver = _DRIVERS.get(scheme)
        if driver is None:
            raise BadAddress(f"a ledger can't be at {scheme[:20]!r}: give {_FORMS}")
        try:
            url = make_url(text).set(drivername=driver)
        except (ArgumentError, ValueError):
            raise BadAddress(f"this is no address of a ledger: give {_FORMS}") from None
        if not url.database or url.database == ":memory:":
            raise BadAddress(f"the address names no file or database: give {_FORMS}")
        if driver == "sqlite":
            return cls.file(Path(url.database))
        if importlib.util.find_spec("psycopg") is None:
            raise BadAddress("PostgreSQL needs its driver: pip install 'prism-router[postgres]'")
        return cls(url)

    @classmethod
    def file(cls, path: Path) -> Address:
        """A ledger in a file of SQLite."""
        return cls(URL.create("sqlite", database=str(path.expanduser().absolute())))

    @property
    def path(self) -> Path | None:
        """The file, where it is one."""
        return Path(self.url.database or "") if self.url.drivername == "sqlite" else None

    def __str__(self) -> str:
        path = self.path
        if path is not None:
            return str(path)
        url = self.url.set(drivername="postgresql", query={})
        return url.render_as_string(hide_password=True)
