"""A certificate authority of our own, and the certificates it signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SKEW = timedelta(hours=1)
"""A certificate is valid from before it was made: clocks differ."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    @property
    def parsed(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate)

    @property
    def fits(self) -> bool:
        """Whether both can be read and the key is the certificate's."""
        try:
            key = load_pem_private_key(self.key, None)
            return bool(self.parsed.public_key() == key.public_key())
        except (ValueError, TypeError):
            return False

    @property
    def made(self) -> datetime:
        """When the certificate was made."""
        return self.parsed.not_valid_before_utc + _SKEW

    @property
    def names(self) -> list[str]:
        """The DNS names and addresses that the certificate is for."""
        extensions = self.parsed.extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return [str(name.value) for name in names]

    def left(self, now: datetime) -> float:
        """The share of its validity that is left at ``now`` (with a time zone); not more than 0
        after its end."""
        end = self.parsed.not_valid_after_utc
        return (end - now) / (end - self.made)

    def signed_by(self, authority: x509.Certificate) -> bool:
        """Whether an authority has signed the certificate."""
        try:
            self.parsed.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def new_authority(name: str, now: datetime, validity: timedelta) -> Pair:
    """A new self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    public = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _builder(subject, subject, key.public_key(), now, validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(public, critical=False)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def new_leaf(
    authority: Pair, names: Sequence[str], client: bool, now: datetime, validity: timedelta
) -> Pair:
    """A new certificate for DNS names or IP addresses, of a client or of a server."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.parsed
    signer = cast("ec.EllipticCurvePrivateKey", load_pem_private_key(authority.key, None))
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = (
        _builder(_subject(names[0]), issuer.subject, key.public_key(), now, validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(map(_general, names)), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    return _pair(builder.sign(signer, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    validity: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + validity)
    )


def _subject(name: str) -> x509.Name:
    # A common name holds 64 characters; what counts are the alternative names.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
