"""All packages that itnio-nb brings on any platform, from the installed packages' metadata and constraints.txt."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
PROJECT = "itnio-nb"
EXTRAS = ("", "lab", "runbook", "keyring", "postgres")  # what operators install; "" is the package without an extra


BUNDLE = ROOT / "tools" / "grid_library" / "package-lock.json"  # what make grid-library puts into the package


class Bundled(NamedTuple):
    """A library of npm that is part of the package itself."""

    name: str
    version: str
    licence: str


def bundled_libraries() -> list[Bundled]:
    """Return the libraries that the grid of the forms is made with, by name; not what only builds them."""
    packages = json.loads(BUNDLE.read_text(encoding="utf-8"))["packages"]
    found = [(path.removeprefix("node_modules/"), one) for path, one in packages.items() if path and not one.get("dev")]
    return [Bundled(name, one["version"], one["license"]) for name, one in sorted(found)]


class MetadataError(Exception):
    """constraints.txt or the metadata of installed packages lack what is needed; the words say what to do."""


class Elsewhere(NamedTuple):
    """What the metadata of a package say that is not installed on every machine."""

    licence: str
    requires: tuple[str, ...] = ()


# The result is to be the same on every machine. Where one of these is installed, a test compares its metadata.
ELSEWHERE = {
    "appnope": Elsewhere("BSD-2-Clause"),
    "backports-tarfile": Elsewhere("MIT"),
    "colorama": Elsewhere("BSD-3-Clause"),
    "cyclonedx-python-lib": Elsewhere("Apache-2.0"),
    "importlib-metadata": Elsewhere("Apache-2.0", ("lazy-importer", "zipp")),
    "jeepney": Elsewhere("MIT"),
    "lazy-importer": Elsewhere("Apache-2.0"),
    "overrides": Elsewhere("Apache-2.0"),
    "pexpect": Elsewhere("ISC", ("ptyprocess",)),
    "pip-audit": Elsewhere("Apache-2.0"),
    "polars": Elsewhere("MIT"),
    "ptyprocess": Elsewhere("ISC"),
    "pywin32-ctypes": Elsewhere("BSD-3-Clause"),
    "pywinpty": Elsewhere("MIT"),
    "secretstorage": Elsewhere("BSD-3-Clause", ("cryptography", "jeepney")),
    "zipp": Elsewhere("MIT"),
}

_SYSTEMS = (("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt"))
_PYTHONS = ("3.11.0", "3.11.14", "3.12.9", "3.13.9", "3.14.3")
_MACHINES = ("x86_64", "AMD64", "aarch64", "arm64")

# Every kind of machine that operators may have, as markers of requirements see it.
ENVIRONMENTS = [
    {
        "sys_platform": sys_platform,
        "platform_system": system,
        "os_name": os_name,
        "platform_machine": machine,
        "python_version": version.rpartition(".")[0],
        "python_full_version": version,
        "implementation_version": version,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_version": "",
    }
    for (sys_platform, system, os_name), version, machine in itertools.product(_SYSTEMS, _PYTHONS, _MACHINES)
]


@dataclass(frozen=True)
class Pin:
    """One line of constraints.txt."""

    name: str
    version: str
    marker: str = ""


def read_pins(path: Path = CONSTRAINTS) -> list[Pin]:
    """Return the lines of a file of constraints; one that pins nothing is refused."""
    pins = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        found = re.fullmatch(r"([\w.-]+)==([\w.!+-]+)(?:\s*;\s*(.+))?", text)
        if found:
            pins.append(Pin(canonicalize_name(found[1]), found[2], found[3] or ""))
        elif text:
            raise MetadataError(f"{path.name}, line {number}: {text!r} pins no version. Renew it: make constraints.")
    if not pins:
        raise MetadataError(f"{path.name} pins nothing. Renew it: make constraints.")
    return pins


@cache
def requirements_of(name: str) -> tuple[Requirement, ...]:
    """Return what a package asks for, its extras included."""
    try:
        texts = metadata.distribution(name).requires or []
    except metadata.PackageNotFoundError:
        if name not in ELSEWHERE:
            raise MetadataError(
                f"{name} is not installed, so what it asks for cannot be read. Install everything: make lint. If this "
                "machine can have none, write its licence into ELSEWHERE in tools/dependencies.py."
            ) from None
        texts = list(ELSEWHERE[name].requires)
    return tuple(Requirement(text) for text in texts)


def _asked_for(name: str, extra: str, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the packages, each with each of its extras, that one package asks for on one kind of machine."""
    for requirement in requirements_of(name):
        marker = requirement.marker
        if marker is None or marker.evaluate({**environment, "extra": extra}):
            yield from ((canonicalize_name(requirement.name), each) for each in ("", *requirement.extras))


def dependency_graph(extras: Iterable[str], environments: Iterable[dict[str, str]]) -> dict[str, set[str]]:
    """Return each package that is brought on any of the kinds of machine, with the names that it asks for."""
    graph: dict[str, set[str]] = {}
    for environment in environments:
        open_, seen = [(PROJECT, extra) for extra in ("", *extras)], set()
        while open_:
            if (state := open_.pop()) in seen:
                continue
            seen.add(state)
            asked = list(_asked_for(*state, environment))
            graph.setdefault(state[0], set()).update(name for name, _ in asked if name != state[0])
            open_ += asked
    return graph


def require_pinned() -> None:
    """Raise a `MetadataError` where the installed packages are not those that constraints.txt pins."""
    pinned: dict[str, set[str]] = {}
    for pin in read_pins():
        pinned.setdefault(pin.name, set()).add(pin.version)
    wrong = []
    for name in sorted(dependency_graph(EXTRAS, ENVIRONMENTS).keys() - {PROJECT}):
        if name not in pinned:
            wrong.append(f"{name} is not in constraints.txt: make constraints")
            continue
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if version not in pinned[name]:
            wrong.append(f"{name} {version} is installed, {' or '.join(sorted(pinned[name]))} is pinned: make lint")
    if wrong:
        raise MetadataError("The installed packages are not those of constraints.txt:\n" + "\n".join(wrong))
