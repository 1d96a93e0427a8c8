"""The certificates of a stack: a CA of its own, and what it signs for each role. `python -m pitlane.certificates`

    TLS/ca.pem, ca.key              made once. The key signs all others and stays as long as the stack
    TLS/nifi.pem, nifi.key          the server: where NiFi takes blocks, and its API with PITLANE_NIFI_SECURE
    TLS/nifi.p12, trusted.p12       the same, and the CA, as Java reads them: keystore and truststore
    TLS/gateway.pem, gateway.key    the client that may post blocks
    TLS/operator.pem, operator.key  the client that may do everything with NiFi's API
    TLS/operator.p12                the same for a person's browser

A second run changes nothing, unless a certificate is about to expire, NiFi got another name, or a password is another
one. The PEM files are the truth, and the stores are written from them. Whoever keeps the CA's key elsewhere misses it
only when something has to be signed.

CaUnusable (a PitlaneError)   the CA's files cannot be read, or do not belong together
"""

import ipaddress
import secrets
import socket
import ssl
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pitlane import private_file
from pitlane.errors import PitlaneError
from pitlane.keystores import Identity, ensure_keystore, ensure_truststore
from pitlane.settings import CertificateSettings
from pitlane.stack import tools
from pitlane.tls import GATEWAY, NIFI, OPERATOR, Files

VALID = timedelta(days=365)
CA_VALID = timedelta(days=3650)
RENEW_BEFORE = timedelta(days=30)
EARLIER = timedelta(hours=1)
"""Certificates begin to be valid so long ago: clocks of two machines differ."""

CA = "ca"
USAGE = {
    NIFI: ExtendedKeyUsageOID.SERVER_AUTH,
    GATEWAY: ExtendedKeyUsageOID.CLIENT_AUTH,
    OPERATOR: ExtendedKeyUsageOID.CLIENT_AUTH,
}
"""What the certificate of a role is for. Its subject is CN=ROLE and nothing else, so every program writes it alike."""

NAMES = ("127.0.0.1", "::1", "localhost", "nifi")
"""NiFi's names everywhere: this machine, and the service in Compose."""

Key = ec.EllipticCurvePrivateKey


class CaUnusable(PitlaneError):
    reason = "ca_unusable"


class Certificate(NamedTuple):
    """One that is there now."""

    role: str
    subject: str
    path: Path
    ends: datetime
    is_new: bool


def ensure(settings: CertificateSettings, now: datetime | None = None) -> list[Certificate]:
    """Makes and renews what has to be, in `settings.tls`; returns all certificates, the CA's first.

    Keys and stores are readable by their owner alone. Raises `CaUnusable`, `pitlane.keystores.PasswordMissing`.
    """
    files, now = Files(settings.tls), now or datetime.now(UTC)
    with tools.lock(files.folder / ".lock"):
        ca, ca_is_new = _ensure_ca(files, now)
        found = [_told(files, CA, ca, ca_is_new)]
        identities = {}
        for role in USAGE:
            names = nifi_names(settings.nifi_names) if role == NIFI else []
            identity = _read(files, role)
            is_new = identity is None or not _fits(identity, ca.certificate, names, now)
            if identity is None or is_new:
                if ca.key is None:
                    raise _key_is_away(files)
                identity = _sign(role, ca.certificate, ca.key, names, now)
                _write(files, role, identity)
            identities[role] = identity
            found.append(_told(files, role, identity, is_new))
        _ensure_stores(settings, ca.certificate, identities)
    return found


def served(host: str, port: int, timeout_s: float = 2) -> x509.Certificate:
    """The certificate that a server shows now, whoever signed it. OSError when none does."""
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((host, port), timeout=timeout_s).encode())


def nifi_names(more: Collection[str] = ()) -> list[str]:
    """Names and addresses that NiFi's certificate is for, in the form that they have in one."""
    return sorted({str(_general_name(name).value) for name in (*NAMES, socket.gethostname(), *more)})


def _ensure_ca(files: Files, now: datetime) -> tuple[Identity, bool]:
    before = _read(files, CA, is_ca=True)
    # Whatever it signs must end before it does.
    if before is not None and before.certificate.not_valid_after_utc - now > VALID + RENEW_BEFORE:
        return before, False
    if before is None:
        # A name of its own, so that a browser that knows the CAs of two stacks can tell them apart.
        key, subject = ec.generate_private_key(ec.SECP256R1()), _name(f"Pitlane CA {secrets.token_hex(4)}")
    elif before.key is not None:
        key, subject = before.key, before.certificate.subject
    else:
        raise _key_is_away(files)
    usage = _key_usage(key_cert_sign=True, crl_sign=True)
    builder = (
        _builder(subject, subject, key, now, CA_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    ca = Identity(builder.sign(key, hashes.SHA256()), key)
    _write(files, CA, ca)
    return ca, True


def _fits(identity: Identity, ca: x509.Certificate, names: list[str], now: datetime) -> bool:
    """Whether a role's certificate is of this CA, for these names, and lasts."""
    certificate = identity.certificate
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return certificate.not_valid_after_utc - now > RENEW_BEFORE and _names_of(certificate) == names


def _names_of(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return sorted([*names.get_values_for_type(x509.DNSName), *addresses])


def _sign(role: str, ca: x509.Certificate, ca_key: Key, names: list[str], now: datetime) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(role), ca.subject, key, now, VALID, issuer_key=ca_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([USAGE[role]]), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
    return Identity(builder.sign(ca_key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, now: datetime, valid: timedelta, issuer_key: Key | None = None
) -> x509.CertificateBuilder:
    subject_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + valid)
        .add_extension(subject_id, critical=False)
        .add_extension(issuer_id, critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature, key_cert_sign=key_cert_sign, crl_sign=crl_sign, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _ensure_stores(settings: CertificateSettings, ca: x509.Certificate, identities: Mapping[str, Identity]) -> None:
    files = Files(settings.tls)
    ensure_keystore(files.keystore, settings.nifi_keystore_password, NIFI, identities[NIFI], ca)
    ensure_truststore(files.truststore, settings.nifi_truststore_password, ca)
    if settings.operator_password.get_secret_value():  # none in Compose, where a person logs in otherwise
        ensure_keystore(files.browser, settings.operator_password, OPERATOR, identities[OPERATOR], ca)


def _read(files: Files, name: str, *, is_ca: bool = False) -> Identity | None:
    """What is there. None where nothing is, and where a role's files are damaged: those are made again.

    A CA is never made anew in place of one that is damaged, since others know it.
    """
    certificate_file, key_file = files.certificate(name), files.key(name)
    if not certificate_file.exists() and not key_file.exists():
        return None
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        if is_ca and not key_file.exists():
            return Identity(certificate, None)
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise ValueError("the key is not the certificate's")
    except (OSError, ValueError, TypeError) as error:
        if not is_ca:
            return None
        hint = (
            f"bring both back; or delete {files.folder}: then there is a new CA, and all who trust the old one need it"
        )
        raise CaUnusable(f"{certificate_file} and {key_file.name} cannot be used: {error}", hint) from error
    return Identity(certificate, key)


def _write(files: Files, name: str, identity: Identity) -> None:
    assert identity.key is not None, "it has just signed or been made"
    private = identity.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    private_file.write(files.key(name), private)
    private_file.write(files.certificate(name), identity.certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _key_is_away(files: Files) -> CaUnusable:
    return CaUnusable(f"certificates have to be renewed, and {files.key(CA)} is not there", "bring it back for that")


def _told(files: Files, role: str, identity: Identity, is_new: bool) -> Certificate:
    certificate = identity.certificate
    return Certificate(
        role, certificate.subject.rfc4514_string(), files.certificate(role), certificate.not_valid_after_utc, is_new
    )


def main() -> None:
    for each in ensure(CertificateSettings()):
        print(f"{each.path}: {each.subject} until {each.ends:%Y-%m-%d}{', new' if each.is_new else ''}")


if __name__ == "__main__":
    main()
