"""The relay's own certificate for runners on other machines: made here, trusted by them alone."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import ipaddress
import os
import ssl
from pathlib import Path

#: How long a certificate holds, and how long before its end another one is made.
_DAYS, _RENEWED_BEFORE_DAYS = 1826, 180


class Certificate:
    """Key and self-signed certificate for one address, kept in the state folder for nobody else to read.

    Runners are given the certificate with their assignment and trust nothing else, so it stays the
    same for as long as it can.
    """

    def __init__(self, folder: Path, host: str) -> None:
        self.host = host
        self._key = folder / "runners-key.pem"
        self._certificate = folder / "runners-certificate.pem"

    def ensure(self) -> str:
        """The certificate as PEM; made anew where there is none that holds for this address. Blocks."""
        pem = self._kept()
        if pem is None:
            key, pem = _make(self.host)
            _write(self._key, key)
            _write(self._certificate, pem)
        return pem

    def context(self) -> ssl.SSLContext:
        """What a listener shows it with. After ``ensure``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._certificate, self._key)
        return context

    def _kept(self) -> str | None:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        with contextlib.suppress(OSError, ValueError, x509.ExtensionNotFound):
            pem = self._certificate.read_text("ascii")
            found = x509.load_pem_x509_certificate(pem.encode())
            key = load_pem_private_key(self._key.read_bytes(), None)
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            left = found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
            good = left > datetime.timedelta(days=_RENEWED_BEFORE_DAYS) and _name(self.host) in names
            if good and key.public_key() == found.public_key():
                return pem
        return None


def pin_of(pem: str) -> str:
    """The certificate's public key as curl's ``--pinnedpubkey`` names it: "sha256//BASE64"."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    told = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256//{base64.b64encode(hashlib.sha256(told).digest()).decode()}"


def _name(host: str) -> object:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _make(host: str) -> tuple[str, str]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Cumulus relay")])
    now = datetime.datetime.now(datetime.UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    usage = {
        **dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment"), False),
        **dict.fromkeys(("key_agreement", "crl_sign", "encipher_only", "decipher_only"), False),
        **dict.fromkeys(("digital_signature", "key_cert_sign"), True),
    }
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # the workers' clocks may be behind
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        # A list is not variant for mypy, and this one is written to by nobody.
        .add_extension(x509.SubjectAlternativeName([_name(host)]), critical=False)  # type: ignore[list-item]
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text)
        os.fsync(file.fileno())
    fresh.replace(path)
