"""Prompts on their way into the ledger and out of it: redacted, or encrypted with a file's keys.

Encryption is Fernet's (AES in CBC mode, with an HMAC over it), of the package cryptography.
"""

from __future__ import annotations

import logging
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from prism.ledger.entry import plain
from prism.prompt.kept import Prompt, words_of
from prism.prompt.redact import redact
from prism.routing.catalog import Prompts

log = logging.getLogger(__name__)

_HOW = (
    "a key is 32 random bytes in URL-safe base64, one a line; the first encrypts, all decrypt: "
    "openssl rand -base64 32 | tr '+/' '-_'"
)


class NoKey(Exception):
    """There is no key, or none that opens a prompt; the message says which, and shows no key."""


class Keys:
    """The keys in a file, read anew when it changes; ``None`` is no file."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._read_at: tuple[int, int, int] | None = None
        self._keys: MultiFernet | None = None

    def current(self) -> MultiFernet:
        """Raises ``NoKey``."""
        if self._file is None:
            raise NoKey("there is no key: give --prompt-key")
        try:
            found = self._file.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if self._keys is None or stamp != self._read_at:
                self._keys, self._read_at = _read(self._file), stamp
        except (OSError, UnicodeDecodeError) as error:
            raise NoKey(f"{self._file}: {getattr(error, 'strerror', None) or 'no text'}") from None
        return self._keys


def _read(file: Path) -> MultiFernet:
    lines = [line.strip() for line in file.read_text("ascii").splitlines()]
    try:
        return MultiFernet([Fernet(line) for line in lines if line])
    except ValueError:
        raise NoKey(f"{file} holds no keys: {_HOW}") from None


class Sealing:
    """Makes of prompts what may be kept. Where a key is missing, nothing is."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.refused = 0
        """Prompts that were not kept for want of a key."""
        self.trouble: str | None = None

    def sealed(self, prompt: Prompt) -> str | None:
        """What the ledger keeps; ``None``: nothing."""
        if prompt.how is Prompts.REDACTED:
            return plain(redact(words_of(prompt.body))).replace("\0", "\ufffd")
        try:
            keys = self._keys.current()
        except NoKey as missing:
            self._refuse(str(missing))
            return None
        self._report(None)
        # With its id in it, so that no prompt can be passed off as another decision's.
        said = f"{prompt.decision_id}\n{words_of(prompt.body)}"
        return keys.encrypt(said.encode("utf-8", "replace")).decode("ascii")

    def _refuse(self, why: str) -> None:
        self.refused += 1
        self._report(f"prompts are to be encrypted, and none is kept: {why}")

    def _report(self, trouble: str | None) -> None:
        if trouble is not None and trouble != self.trouble:
            log.error(trouble)
        elif trouble is None and self.trouble is not None:
            log.info("prompts are encrypted and kept again")
        self.trouble = trouble


def opened(decision_id: str, how: Prompts, kept: str, keys: Keys) -> str:
    """The words of a prompt as it was kept. Raises ``NoKey``."""
    if how is not Prompts.ENCRYPTED:
        return kept
    try:
        said = keys.current().decrypt(kept.encode("ascii")).decode()
    except (InvalidToken, UnicodeEncodeError):
        raise NoKey("no key in the file opens this prompt") from None
    name, _, words = said.partition("\n")
    if name != decision_id:
        raise NoKey("this prompt is another decision's")
    return words
