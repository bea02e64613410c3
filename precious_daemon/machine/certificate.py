"""The only place that makes a certificate. Run as `python -m precious_daemon.machine.certificate CERT KEY NAME...` and ended.

Where CERT is absent, ends within a month or lacks one of the names, it writes a new one with a new key. Without a NAME the
certificate is the owner's own, and is only read. It prints JSON: {"until": seconds since 1970, "made": true or false}.
"""

from __future__ import annotations

import ipaddress
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from precious_daemon.machine import whole

DAYS = 825  # the longest that Apple's systems take
RENEW = timedelta(days=30)


def look(file: Path) -> tuple[datetime, set[str]] | None:
    """(end, names) of a certificate; None where there is no usable one."""
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    try:
        names = {str(name.value) for name in found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value}
    except x509.ExtensionNotFound:
        names = set()
    return found.not_valid_after_utc, names


def make(cert: Path, key: Path, names: list[str], now: datetime) -> datetime:
    """Write a self-signed certificate and a new key that only its owner can read; return when it ends."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "precious-daemon")])
    end = now + timedelta(days=DAYS)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    cert.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    whole.write(key, secret)
    whole.write(cert, certificate.public_bytes(serialization.Encoding.PEM))
    return end


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def ensure(cert: Path, key: Path, names: list[str], now: datetime) -> tuple[datetime, bool]:
    """(end, whether it was made now) of the certificate."""
    found = look(cert)
    if found and (not names or (key.exists() and found[0] > now + RENEW and set(names) <= found[1])):
        return found[0], False
    if not names:
        raise SystemExit(f"{cert} holds no certificate")
    return make(cert, key, names, now), True


if __name__ == "__main__":
    until, made = ensure(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:], datetime.now(UTC))
    json.dump({"until": until.timestamp(), "made": made}, sys.stdout)
