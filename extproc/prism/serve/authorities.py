"""The certificate authorities that this machine trusts."""

from __future__ import annotations

import ssl
from pathlib import Path


def ca_file() -> str:
    """The machine's bundle of trusted certificate authorities."""
    paths = ssl.get_default_verify_paths()
    candidates = [
        paths.cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
    ]
    return next((path for path in candidates if path and Path(path).is_file()), candidates[1] or "")
