"""The replica's side of mutual TLS with the operator: three files that may change any time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

SERVER_NAME = "prism-operator"
"""What the operator's certificate must name, whatever address was dialled."""


class NoIdentity(Exception):
    """The files of an identity can't be read; the message names the file."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A replica's certificate and key, and the authority that it trusts (PEM)."""

    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes

    def credentials(self) -> Any:
        """The gRPC channel credentials."""
        return grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)


def read_identity(folder: Path) -> Identity:
    """Read ``tls.crt``, ``tls.key`` and ``ca.crt``, the layout of a ``kubernetes.io/tls``
    Secret; raises ``NoIdentity``."""
    try:
        return Identity(
            certificate=(folder / "tls.crt").read_bytes(),
            key=(folder / "tls.key").read_bytes(),
            authority=(folder / "ca.crt").read_bytes(),
        )
    except OSError as error:
        raise NoIdentity(f"{error.filename}: {error.strerror}") from None
