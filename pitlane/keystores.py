"""Certificates in PKCS#12, as Java and browsers read them. Written from those that `pitlane.certificates` made.

PasswordMissing (a PitlaneError)   a store has to be written, and no password is set for it
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from pydantic import SecretStr

from pitlane import private_file
from pitlane.errors import PitlaneError


class PasswordMissing(PitlaneError):
    reason = "password_missing"


class Identity(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | None
    """None for a CA whose key is kept elsewhere."""


def ensure_keystore(path: Path, password: SecretStr, name: str, identity: Identity, ca: x509.Certificate) -> None:
    """A certificate with its key and its CA."""
    certificate, key = identity

    def store(password: bytes) -> bytes:
        encryption = BestAvailableEncryption(password)
        return pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, [ca], encryption)

    _ensure(path, password, {certificate, ca}, store)


def ensure_truststore(path: Path, password: SecretStr, ca: x509.Certificate) -> None:
    """The CA alone, marked as Java marks what it trusts."""

    def store(password: bytes) -> bytes:
        entry = pkcs12.PKCS12Certificate(ca, b"pitlane-ca")
        return pkcs12.serialize_java_truststore([entry], BestAvailableEncryption(password))

    _ensure(path, password, {ca}, store)


def _ensure(
    path: Path, secret: SecretStr, certificates: set[x509.Certificate], store: Callable[[bytes], bytes]
) -> None:
    """Writes a store unless it opens with the password and has these certificates."""
    password = secret.get_secret_value().encode()
    if not password:
        hint = "set PITLANE_NIFI_KEYSTORE_PASSWORD and PITLANE_NIFI_TRUSTSTORE_PASSWORD"
        raise PasswordMissing(f"no password is set for {path.name}", hint)
    try:
        there = pkcs12.load_pkcs12(path.read_bytes(), password)
    except (OSError, ValueError):  # none is there, it is damaged, or the password was another one
        held = set()
    else:
        held = {each.certificate for each in (there.cert, *there.additional_certs) if each is not None}
    if held != certificates:
        private_file.write(path, store(password))
