"""Certificates of servers: which are believed, and with which words the others are refused, before anything is sent."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from itnio_nb import Account, Client, State
from tests.support.factories import group
from tests.support.https import serving_https

DAY, NOW = timedelta(days=1), datetime.now(UTC)
UNKNOWN = "is signed by an authority that this machine does not know"
OTHER = "is for another address"
HERE: list[x509.GeneralName] = [x509.DNSName("localhost")]


@dataclass(frozen=True)
class Certificate:
    """What a server shows, and the words with which it is refused, "" where it is not."""

    words: str = ""
    name: str = "localhost"
    names: list[x509.GeneralName] | None = field(default_factory=lambda: HERE)
    begins: datetime = NOW - DAY
    ends: datetime = NOW + DAY
    of: str = "authority"  # who signed it
    use: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH
    is_authority: bool = False


CERTIFICATES = {
    "good": Certificate(),
    "good, in capital letters": Certificate(names=[x509.DNSName("LOCALHOST")]),
    "good, one of several": Certificate(names=[x509.DNSName("other.example"), *HERE]),
    "good, with another common name": Certificate(name="other.example"),
    "no alternative names": Certificate(OTHER, names=None),
    "no alternative names, another common name": Certificate(OTHER, name="other.example", names=None),
    "empty alternative names": Certificate(OTHER, names=[]),
    "another alternative name": Certificate(OTHER, names=[x509.DNSName("other.example")]),
    "a name that begins alike": Certificate(OTHER, names=[x509.DNSName("localhost.example")]),
    "a name that ends alike": Certificate(OTHER, names=[x509.DNSName("x.localhost")]),
    "a wildcard": Certificate(OTHER, names=[x509.DNSName("*")]),
    "a wildcard below": Certificate(OTHER, names=[x509.DNSName("*.localhost")]),
    "half a wildcard": Certificate(OTHER, names=[x509.DNSName("local*")]),
    "a number": Certificate(OTHER, names=[x509.IPAddress(ip_address("127.0.0.1"))]),
    "an e-mail address": Certificate(OTHER, names=[x509.RFC822Name("localhost")]),
    "an address of the web": Certificate(OTHER, names=[x509.UniformResourceIdentifier("https://localhost")]),
    "expired": Certificate("has expired", ends=NOW - DAY / 2),
    "not valid yet": Certificate("is not valid yet", begins=NOW + DAY / 2),
    "of an authority that nobody knows": Certificate(UNKNOWN, of="stranger"),
    "of itself": Certificate(UNKNOWN, of="itself"),
    "of an authority that is none": Certificate(UNKNOWN, of="server"),
    "for clients": Certificate(UNKNOWN, use=ExtendedKeyUsageOID.CLIENT_AUTH),
}
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def built(issuer: str, signer: Key, key: Key, made: Certificate) -> x509.Certificate:
    """A certificate of `key`, signed by `signer`."""
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (made.name, issuer)]
    builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(made.begins).not_valid_after(made.ends)
    builder = builder.add_extension(x509.BasicConstraints(ca=made.is_authority, path_length=None), critical=True)
    if made.names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(made.names), critical=False)
    if not made.is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([made.use]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def chain(made: Certificate, folder: Path) -> Path:
    """Write what the server shows, and `authority.pem` of who is known; return the server's file."""
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("authority", "stranger", "server", "itself")}
    key = keys["itself"]
    roots = {
        name: built(name, keys[name], keys[name], Certificate(name=name, names=None, is_authority=True))
        for name in ("authority", "stranger")
    }
    middle = built("authority", keys["authority"], keys["server"], Certificate(name="server"))
    issuer = made.name if made.of == "itself" else made.of
    own = built(issuer, keys[made.of], key, made)
    (folder / "authority.pem").write_bytes(pem(roots["authority"]))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    shown = folder / "server.pem"
    shown.write_bytes(private + pem(own, *([middle] if made.of == "server" else [])))
    return shown


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good one is believed; any other is refused in words before a request leaves."""
    made, context = CERTIFICATES[name], ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain(made, tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    with serving_https(context) as (address, connections), Client(Account("key", "secret", address)) as client:
        receipt = client.create_phones(group())
    if made.words:
        assert (receipt.state, receipt.reason) == (State.PLANNED, f"the server's certificate {made.words}")
        assert receipt.advice
        assert not connections
    else:
        assert (receipt.state, connections.total()) == (State.CREATED, 1)
