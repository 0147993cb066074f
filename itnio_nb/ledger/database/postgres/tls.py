"""TLS to a PostgreSQL server: which servers are verified, by whose certificates, and what is not taken for that."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from itnio_nb.errors import LedgerError

_VERIFIED = ("verify-full", "verify-ca")
_OWN_ROOTS = "~/.postgresql/root.crt"  # where libpq looks by itself
# The roots of the system in one file, as Debian, Fedora, SUSE, Alpine and macOS keep them.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def is_local(names: str, addresses: str) -> bool:
    """Tell whether all servers are on this machine: by their names, and by the addresses that packets go to, if given.

    Both are libpq's lists. Either alone could be another machine's: a name is what a server is verified by, so that
    one that is no local name is verified wherever a tunnel, or `hostaddr`, leads.
    """
    return all(map(_is_this_machine, [*names.split(","), *addresses.split(",")]))


def verified(options: Mapping[str, str], shown: str) -> dict[str, str]:
    """Return the options that have a server on another machine verified; raise `LedgerError` where it is not to be."""
    mode = options.get("sslmode") or os.environ.get("PGSSLMODE") or "verify-full"
    if mode not in _VERIFIED:
        raise LedgerError(
            f"The ledger {shown} is on another machine, and sslmode={mode} does not verify which one answers: "
            "take that away, or write sslmode=verify-full&sslrootcert=/path/to/root.crt."
        )
    made = {"sslmode": mode, "gssencmode": "disable"}  # which would take the place of TLS
    own = options.get("sslrootcert") or os.environ.get("PGSSLROOTCERT")
    if mode == "verify-full" and (own == "system" or not (own or Path(_OWN_ROOTS).expanduser().exists())):
        made["sslrootcert"] = _system_roots()
    return made


def _is_this_machine(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host.lower() == "localhost":  # a socket in the file system
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _system_roots() -> str:
    """Return the file of the system's roots: libpq of a wheel has its own idea of where they are, which is nowhere."""
    places = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_BUNDLES)
    return next((one for one in places if one and Path(one).exists()), "system")
