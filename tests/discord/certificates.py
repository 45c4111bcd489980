"""A certificate authority for one run, and a certificate for Discord's names signed by it."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

from tests.discord.resolver import HOSTS, VOICE_SUFFIX


def issue(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Returns the server's TLS context and the path of the authority's PEM, written under ``folder``."""
    authority = trustme.CA()
    certificate = authority.issue_cert(*HOSTS, f"*{VOICE_SUFFIX}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return context, path
