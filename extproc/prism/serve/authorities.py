"""The certificate authorities that this machine trusts."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

VARIABLE = "SSL_CERT_FILE"
"""The environment variable that names another bundle, as OpenSSL has it."""


def ca_file() -> str:
    """The machine's bundle of trusted certificate authorities, or the one that the environment
    names, be it there or not: it is Envoy's container that must have it."""
    if named := os.environ.get(VARIABLE):
        return named
    candidates = [
        ssl.get_default_verify_paths().cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
    ]
    return next((path for path in candidates if path and Path(path).is_file()), candidates[1] or "")
