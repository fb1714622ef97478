"""A ledger's database: connections, the version of its tables, and what an error means.

Every call blocks: nothing of this runs on the event loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
    StatementError,
)

from prism.ledger import versions
from prism.ledger.address import Address
from prism.ledger.engine import READING, bounded, make_file, open_engine


class Away(Exception):
    """The database can't be reached or can't write just now; the message says why."""


class WrongVersion(Exception):
    """The tables are of another version of Prism."""


class Refused(Exception):
    """The database is well, but does not take what was to be written."""


class Store:
    """A ledger's database. Connects when it is first used; threads may share it."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._engine = open_engine(address)

    def prepare(self) -> None:
        """Make the tables or bring them up to date. Raises ``Away`` and ``WrongVersion``."""
        if self.address.path is not None:
            try:
                make_file(self.address.path)
            except OSError as error:
                raise Away(f"{self.address.path}: {error.strerror}") from None
        with self.reading() as connection:
            found = versions.current(connection)
        if not versions.known(found):
            raise WrongVersion(f"its tables are of a newer Prism (version {found})")
        if found != versions.newest():
            with self.writing() as connection:
                versions.upgrade(connection)

    def check(self) -> None:
        """Raise ``Away`` or ``WrongVersion`` where the tables can't be read as they are."""
        path = self.address.path
        if path is not None and not path.exists():
            raise Away(f"there is no ledger at {path}")
        with self.reading() as connection:
            found = versions.current(connection)
        if found != versions.newest():
            raise WrongVersion(
                f"the ledger at {self.address} has version {found}, this Prism reads "
                f"{versions.newest()}: a server of this version brings it up to date"
            )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that writes nothing. Raises ``Away``."""
        with _meaning(), self._engine.connect() as connection:
            yield connection.execution_options(**READING)

    @contextmanager
    def asking(self, within_s: float) -> Iterator[Connection]:
        """As ``reading``, for questions that may be long: each statement is given up, and
        ``Away`` raised, once so many seconds are over."""
        with self.reading() as connection, bounded(connection, within_s):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: all of it is written, or nothing. Raises ``Away`` and ``Refused``."""
        with _meaning(), self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()


@contextmanager
def _meaning() -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError) as error:
        raise Refused(_words(error)) from None
    except StatementError as error:
        # A statement that did not even reach the database holds a value that none takes.
        raise (Away if isinstance(error, DBAPIError) else Refused)(_words(error)) from None
    except (SQLAlchemyError, OSError) as error:
        raise Away(_words(error)) from None
    except (ValueError, TypeError, ArithmeticError) as error:
        raise Refused(_words(error)) from None


def _words(error: Exception) -> str:
    """The first line of what the database said, without the statement and its values."""
    said = getattr(error, "orig", None) or error
    return (str(said).strip() or type(said).__name__).splitlines()[0][:300]
