"""Looks at a certificate as its reader would: whose it is, until when, who stands behind it."""

import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

_EXPIRED = 10
_OTHER_NAME = 62
"""X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_HOSTNAME_MISMATCH (OpenSSL: x509_vfy.h)."""
_DAY = 86400.0


class Certificate(NamedTuple):
    """What a certificate says."""

    names: tuple[str, ...]
    ends: float
    """Seconds since the epoch."""

    @property
    def days(self) -> float:
        """Tell how long it still holds."""
        return (self.ends - time.time()) / _DAY

    @property
    def until(self) -> str:
        """Tell its last day."""
        return datetime.fromtimestamp(self.ends, UTC).strftime("%Y-%m-%d")


def of(peer: ssl.SSLObject) -> Certificate:
    """Read the verified certificate at the other end."""
    found = peer.getpeercert() or {}
    names = [str(pair[1]) for pair in found.get("subjectAltName", ()) if len(pair) == 2]
    return Certificate(tuple(names), ssl.cert_time_to_seconds(str(found.get("notAfter", "Jan  1 00:00:00 1970 GMT"))))


def read(certificate: Path, key: Path) -> Certificate:
    """Read our own files as a reader who trusts the certificate itself; raises ssl.SSLError, OSError."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate, key, password=lambda: "")
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname = False
    theirs.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    theirs.load_verify_locations(certificate)
    return of(_shake(ours, theirs, None))


def complaint(certificate: Path, key: Path, host: str) -> ssl.SSLCertVerificationError | None:
    """Tell what a stranger who calls `host` has against our files; None: nothing."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate, key, password=lambda: "")
    try:
        _shake(ours, ssl.create_default_context(), host)
    except ssl.SSLCertVerificationError as fault:
        return fault
    return None


def is_expired(fault: ssl.SSLError) -> bool:
    """Tell whether a certificate has ended."""
    return getattr(fault, "verify_code", 0) == _EXPIRED


def is_other_name(fault: ssl.SSLError) -> bool:
    """Tell whether a certificate is for somebody else."""
    return getattr(fault, "verify_code", 0) == _OTHER_NAME


def _shake(ours: ssl.SSLContext, theirs: ssl.SSLContext, host: str | None) -> ssl.SSLObject:
    """Let the two ends shake hands in memory; give the reader's end, or raise what it has against us."""
    to_us, to_them = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = ours.wrap_bio(to_us, to_them, server_side=True)
    client = theirs.wrap_bio(to_them, to_us, server_hostname=host)
    for _ in range(10):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            _step(server)
        else:
            return client
    raise ssl.SSLError("the two ends do not come to an end")


def _step(server: ssl.SSLObject) -> None:
    try:
        server.do_handshake()
    except ssl.SSLWantReadError:
        return
