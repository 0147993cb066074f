"""Write docs/licences.md: the licence of every package that an installation of itnio-nb brings, on any platform."""

from __future__ import annotations

from tools.dependencies import ENVIRONMENTS, EXTRAS, PROJECT, ROOT, bundled_libraries, dependency_graph, require_pinned
from tools.licences import licence_of

TABLE = ROOT / "docs" / "licences.md"
HEAD = """# Licences of all dependencies

Written by `make docs` from the metadata of the packages that `constraints.txt` pins; `tests/commands/test_licences.py`
fails where it differs from them, and where a licence is not permissive. MPL-2.0 is let in: it asks for the source of
its own files, where somebody changes those. psycopg, which only the extra `postgres` brings, is LGPL-3.0: it is
installed as it is, beside the package, and imported; whoever changes it gives the source
of that library, not of this one.

These are the {count} packages that `pip install "itnio-nb[lab,runbook,keyring,postgres]"` brings on Linux, macOS and
Windows with CPython 3.11 and newer. "Comes with" has `itnio-nb` where a package is there without any extra, else each
extra that brings it. The licences are SPDX expressions: `AND` joins those of several parts, `OR` is a choice.

Each licence is that of the package itself. Wheels also bundle libraries of others, with their licences in the wheel and
not in its metadata, and these are not listed: numpy's for Linux has the runtime of GCC (GPL-3.0 with the exception that
lets any program use it) and libquadmath (LGPL-2.1), pyzmq's has libzmq (MPL-2.0), psycopg-binary's has
libpq (PostgreSQL) and what that needs: OpenSSL (Apache-2.0), Kerberos (MIT), OpenLDAP (OLDAP-2.8), Cyrus SASL
(BSD), and for Linux keyutils and libxcrypt (LGPL-2.1).

In the package itself, for the grid of the forms (`itnio_nb/forms/static/grid/library.js`, made by
`make grid-library`): {bundled}.

| package | licence | comes with | only on |
|---|---|---|---|
"""


def where_needed(name: str, machines: list[tuple[dict[str, str], set[str]]]) -> str:
    """Return the systems and the versions of Python that a package is for, or nothing where it is for all."""
    limits = []
    for marker, word in (("platform_system", ""), ("python_version", "Python ")):
        everywhere = list(dict.fromkeys(environment[marker] for environment, _ in machines))
        here = {environment[marker] for environment, names in machines if name in names}
        if len(here) < len(everywhere):
            limits.append(word + " and ".join(value for value in everywhere if value in here))
    return ", ".join(limits).replace("Darwin", "macOS")


def licence_table() -> str:
    """Return the text of docs/licences.md."""
    require_pinned()
    brought = {extra: dependency_graph([extra], ENVIRONMENTS) for extra in EXTRAS}
    machines = [(environment, set(dependency_graph(EXTRAS, [environment]))) for environment in ENVIRONMENTS]
    rows = []
    for name in sorted(set().union(*brought.values()) - {PROJECT}):
        extras = [PROJECT] if name in brought[""] else [extra for extra in EXTRAS if name in brought[extra]]
        rows.append(f"| {name} | {licence_of(name)} | {', '.join(extras)} | {where_needed(name, machines)} |\n")
    bundled = ", ".join(f"{one.name} {one.version} ({one.licence})" for one in bundled_libraries())
    return HEAD.format(count=len(rows), bundled=bundled) + "".join(rows)


if __name__ == "__main__":
    TABLE.write_text(licence_table(), encoding="utf-8")
