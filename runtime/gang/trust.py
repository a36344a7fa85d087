"""Throw-away certificates and what a node publishes of itself.

Every node of every attempt makes an EC key and a self-signed certificate that lives for a few days at most; the
private key stays in the node's own scratch folder (mode 0600) and dies with it. Peers trust exactly the certificates
that stand in the store under their attempt, by pinning: names and dates inside a certificate mean nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import ssl
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flowc.runtime.errors import STORE, Stop


@dataclass(frozen=True, slots=True)
class Entry:
    """A node's entry in the store. `port` is 0 on workers, who listen nowhere."""

    node: int
    address: str
    port: int
    certificate: str

    @property
    def fingerprint(self) -> str:
        return fingerprint(ssl.PEM_cert_to_DER_cert(self.certificate))

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def load_entry(data: bytes) -> Entry:
    try:
        entry = Entry(**json.loads(data))
        if (type(entry.node), type(entry.address), type(entry.port)) != (int, str, int):
            raise ValueError("a member is of another type")
        # Whether it is a certificate at all: later the whole gang would trip over one that is not.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=entry.certificate)
        ssl.PEM_cert_to_DER_cert(entry.certificate)
        return entry
    except (ValueError, TypeError, AttributeError, ssl.SSLError) as error:
        raise Stop(STORE, f"a gang node's entry in the store is damaged: {error}") from None


def fingerprint(der: bytes) -> str:
    """sha256 of a certificate in DER form, hexadecimal."""
    return hashlib.sha256(der).hexdigest()


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """This node's certificate; the key is only ever named by its path."""

    pem: str
    cert_path: Path
    key_path: Path


def make_certificate(scratch: Path) -> OwnCertificate:
    """A new key and self-signed certificate in `scratch`, a folder that only this user may enter."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    # OpenSSL looks trust anchors up by subject: were the names equal, it would try one node's certificate only.
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"flowc gang node {secrets.token_hex(16)}")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Nodes' clocks differ; a gang may run for weeks. Pinning makes the dates a formality.
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=400))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = scratch / "link-cert.pem", scratch / "link-key.pem"
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    cert_path.write_bytes(pem)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
    return OwnCertificate(pem.decode(), cert_path, key_path)


def server_context(own: OwnCertificate) -> ssl.SSLContext:
    """Demands a client certificate; which ones are good is added as workers' entries are read."""
    return _context(ssl.PROTOCOL_TLS_SERVER, own)


def client_context(own: OwnCertificate, head: Entry) -> ssl.SSLContext:
    """Trusts node 0's certificate and nothing else."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, own)
    context.load_verify_locations(cadata=head.certificate)
    return context


def _context(protocol: int, own: OwnCertificate) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # a pinned certificate says more than any name
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(own.cert_path, own.key_path)
    return context
