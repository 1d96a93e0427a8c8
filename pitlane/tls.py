"""TLS: where a stack's certificates lie, the client's side of a connection, and in words what went wrong with one.

Unreadable (a PitlaneError)   a file of certificates or of a key cannot be used
"""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pitlane.errors import PitlaneError

# OpenSSL's slugs for what the other side says (an alert) and for what we found.
TOLD = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate and got none",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it refuses the handshake, perhaps for want of a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it refuses the client certificate: not of the CA that it trusts",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it refuses the client certificate: expired",
    # Java says only this, whatever is wrong with one.
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it refuses the client certificate: expired, or not of the CA that it trusts",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
}


NIFI, GATEWAY, OPERATOR = "nifi", "gateway", "operator"
"""Roles that have a certificate: the server, who may post blocks, who may do everything with NiFi's API."""


class Files(NamedTuple):
    """What pitlane.certificates makes in a stack's folder."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.certificate("ca")

    @property
    def keystore(self) -> Path:
        """NiFi's certificate and key, as Java reads them."""
        return self.folder / "nifi.p12"

    @property
    def truststore(self) -> Path:
        """The CA, as Java reads it."""
        return self.folder / "trusted.p12"

    @property
    def browser(self) -> Path:
        """The operator's certificate and key, as a browser imports them."""
        return self.folder / "operator.p12"

    def certificate(self, role: str) -> Path:
        return self.folder / f"{role}.pem"

    def key(self, role: str) -> Path:
        return self.folder / f"{role}.key"


class Unreadable(PitlaneError):
    reason = "tls_files"


def client_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """TLS 1.2 and newer, with the server's certificate and name checked.

    `ca` unset: the system's CAs. `certificate` set: our own is shown to a server that asks; `key` unset means that its
    file holds both. Raises `Unreadable`.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        files = ", ".join(str(each) for each in (ca, certificate, key) if each is not None)
        raise Unreadable(f"cannot use {files}: {_word(error)}", "pitlane up makes certificates") from error
    return context


def told(error: BaseException) -> str:
    """What is wrong with TLS, for people; "" when it is something else."""
    for each in _causes(error):
        # A library's own subclass of these may lack what OpenSSL said, and carries the error that has it.
        if message := getattr(each, "verify_message", ""):
            return f"its certificate is not to be trusted: {message}"
        if isinstance(each, ssl.SSLError) and (reason := str(getattr(each, "reason", None) or "")):
            return TOLD.get(reason, reason)
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and what libraries put into one of their own."""
    seen: list[BaseException] = []
    pending = [error]
    while pending:
        each = pending.pop()
        if each not in seen:
            seen.append(each)
            yield each
            pending += [
                more for more in (each.__cause__, each.__context__, *each.args) if isinstance(more, BaseException)
            ]


def _word(error: BaseException) -> str:
    """OpenSSL's slug, or the system's words."""
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
