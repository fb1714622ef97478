"""Certificates as files: one folder with tls.crt, tls.key and ca.crt, as a Secret is mounted.

They are read anew for every handshake, so that a rotation needs no restart. While the files do
not fit together (a rotation is half done) the last ones that did are used.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

log = logging.getLogger(__name__)


class BadCertificates(Exception):
    """The folder does not hold a certificate with its key and the authority's certificate."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM texts: a certificate, its private key, and the authorities that are trusted."""

    certificate: bytes
    key: bytes
    authorities: bytes


def read(folder: Path) -> Certificates:
    """The certificates in a folder; raises ``BadCertificates``."""
    # A mounted Secret changes by one link, so everything is read through one reading of it.
    place = folder / "..data" if (folder / "..data").is_dir() else folder
    place = place.resolve()
    try:
        found = Certificates(*((place / n).read_bytes() for n in ("tls.crt", "tls.key", "ca.crt")))
        certificate = x509.load_pem_x509_certificate(found.certificate)
        key = load_pem_private_key(found.key, None)
        x509.load_pem_x509_certificates(found.authorities)
    except OSError as error:
        raise BadCertificates(f"{folder}: {error.filename}: {error.strerror}") from None
    except (ValueError, TypeError) as error:
        raise BadCertificates(f"{folder}: not PEM certificates and a key: {error}") from None
    if certificate.public_key() != key.public_key():
        raise BadCertificates(f"{folder}: tls.key is not the key of tls.crt")
    return found


def server_credentials(folder: Path) -> grpc.ServerCredentials:
    """Mutual TLS for a gRPC server; raises ``BadCertificates`` if the folder is not good now."""
    used = read(folder)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal used
        try:
            found = read(folder)
        except BadCertificates as error:
            log.warning("the certificates so far stay in use: %s", error)
            return None
        if found == used:
            return None
        used = found
        log.info("%s: new certificates are in use", folder)
        return _configuration(found)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(used),
        renewed,  # type: ignore[arg-type]  # "None" means: no change
        require_client_authentication=True,
    )


def _configuration(found: Certificates) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(found.key, found.certificate)], found.authorities
    )


class HttpsContext:
    """A server's TLS without client certificates, which follows its files.

    ``refresh`` loads changed files into ``context``; handshakes from then on use them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._used = read(folder)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._load(folder)

    def _load(self, folder: Path) -> None:
        self.context.load_cert_chain(folder / "tls.crt", folder / "tls.key")

    def refresh(self) -> None:
        """Take up changed files; those that do not fit together are logged and left."""
        try:
            found = read(self._folder)
            if found != self._used:
                self._load(self._folder)
                self._used = found
        except (BadCertificates, ssl.SSLError, OSError) as error:
            log.warning("the certificates so far stay in use: %s", error)
