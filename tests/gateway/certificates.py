"""Certificates of the operator and its replicas, made for a test."""

from __future__ import annotations

from pathlib import Path

import trustme


class Authority:
    """A certificate authority that signs what it is asked to."""

    def __init__(self) -> None:
        self._authority = trustme.CA(key_type=trustme.KeyType.ECDSA)

    def issue(self, folder: Path, dns: str) -> Path:
        """Put ``tls.crt``, ``tls.key`` and ``ca.crt`` into a folder, one after the other."""
        made = self._authority.issue_cert(dns, key_type=trustme.KeyType.ECDSA)
        files = {
            "tls.crt": made.cert_chain_pems[0],
            "tls.key": made.private_key_pem,
            "ca.crt": self._authority.cert_pem,
        }
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            content.write_to_path(folder / f"{name}.new")
            (folder / f"{name}.new").rename(folder / name)
        return folder
