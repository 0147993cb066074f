"""Licences: docs/licences.md and the README's table say what the metadata of the packages say, on any platform."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.factories import ROOT
from tools.dependencies import (
    ELSEWHERE,
    ENVIRONMENTS,
    EXTRAS,
    PROJECT,
    MetadataError,
    bundled_libraries,
    dependency_graph,
    read_pins,
    requirements_of,
)
from tools.licence_table import TABLE, licence_table
from tools.licences import CORRECTIONS, LET_IN, is_permitted, licence_of

README = (ROOT / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?:\*(?P<extras>[\w, ]+):\* )?(?P<packages>[^|]+) \| (?P<licences>[^|]+) \| ", re.MULTILINE)


def direct_dependencies() -> dict[str, set[str]]:
    """Every package that pyproject.toml names, with the extras that name it; "" is no extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named: dict[str, set[str]] = {}
    for extra, texts in {"": project["dependencies"], **project["optional-dependencies"]}.items():
        for name in (canonicalize_name(Requirement(text).name) for text in texts):
            if name != PROJECT:
                named.setdefault(name, set()).add(extra)
    return named


def readme_rows() -> dict[str, tuple[str, set[str]]]:
    """The README's table: of each package its licence and the extras that it is said to be of."""
    section = README.split("## Dependencies, and why each")[1].split("\n## ")[0]
    rows: dict[str, tuple[str, set[str]]] = {}
    for found in ROW.finditer(section.partition("|---|")[2]):
        packages, licences = found["packages"].split(", "), found["licences"].split(", ")
        licences = licences * len(packages) if len(licences) == 1 else licences
        extras = set(found["extras"].split(", ")) if found["extras"] else {""}
        for package, licence in zip(packages, licences, strict=True):
            rows[canonicalize_name(package)] = (licence, extras)
    return rows


def test_what_is_bundled_is_what_is_said() -> None:
    """The versions in the file of the package are those of the lock; the licence of the authors is beside it."""
    place = ROOT / "itnio_nb" / "forms" / "static" / "grid"
    banner = (place / "library.js").read_text(encoding="utf-8").partition("\n")[0]
    bundled = bundled_libraries()
    assert {one.name for one in bundled} == {"@tanstack/table-core", "@tanstack/store"}
    assert {one.licence for one in bundled} == {"MIT"}
    assert re.findall(r"[0-9]+\.[0-9]+\.[0-9]+", banner) == [one.version for one in reversed(bundled)]
    assert "Permission is hereby granted, free of charge" in (place / "library-licence.txt").read_text(encoding="utf-8")


def installed(folder: Path, fields: str, text: str = "") -> None:
    """Put a package named "odd" with these metadata, and this text as its licence, into a folder."""
    place = folder / "odd-1.0.dist-info"
    (place / "licenses").mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.4\nName: odd\nVersion: 1.0\n{fields}", encoding="utf-8")
    (place / "licenses" / "LICENSE.txt").write_text(text, encoding="utf-8")
    (place / "RECORD").write_text("odd-1.0.dist-info/METADATA,,\nodd-1.0.dist-info/licenses/LICENSE.txt,,\n")


def test_the_table_is_true() -> None:
    """No package is missing or too much, and none has another licence: `make docs` writes the table anew."""
    assert TABLE.read_text(encoding="utf-8").splitlines() == licence_table().splitlines()


def test_no_licence_asks_for_our_source() -> None:
    """GPL, AGPL, LGPL and what nobody has looked at fail here, in what operators install and in what we build with.

    What is let in all the same is so under one licence, and is brought by nothing but an extra.
    """
    names = dependency_graph(EXTRAS, ENVIRONMENTS).keys() | direct_dependencies().keys()
    let_in = {name: licence for name, (licence, _) in LET_IN.items()}
    assert {name: licence_of(name) for name in names if not is_permitted(licence_of(name))} == let_in
    assert not LET_IN.keys() & dependency_graph([one for one in EXTRAS if one != "postgres"], ENVIRONMENTS).keys()


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "MIT AND LGPL-2.1-or-later", "MIT OR AGPL-3.0", "UNKNOWN"])
def test_what_is_not_permissive_is_told(licence: str) -> None:
    """In any part of an expression; a choice is made by hand."""
    assert not is_permitted(licence)


def test_the_readme_has_every_direct_dependency() -> None:
    """Each package of pyproject.toml, with its extras and its licence, and no other."""
    assert {name: extras for name, (_, extras) in readme_rows().items()} == direct_dependencies()
    assert {name: licence for name, (licence, _) in readme_rows().items()} == {
        name: licence_of(name) for name in direct_dependencies()
    }


def test_what_only_some_machines_have_is_written_down() -> None:
    """Else the table would differ where a package cannot be installed; where it can, its metadata agree."""
    everywhere = set.intersection(*(set(dependency_graph(EXTRAS, [machine])) for machine in ENVIRONMENTS))
    sometimes = dependency_graph(EXTRAS, ENVIRONMENTS).keys() - everywhere
    assert sometimes - direct_dependencies().keys() - ELSEWHERE.keys() == set()


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_written_down_is_true(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each such package that is installed here."""
    graph = dependency_graph(EXTRAS, ENVIRONMENTS)
    written = ELSEWHERE[name]
    monkeypatch.setitem(ELSEWHERE, name, written._replace(licence=""))
    assert licence_of(name) in {written.licence, ""}
    assert set(written.requires) == graph.get(name, set())


@pytest.mark.parametrize(
    ("fields", "text", "licence"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: BSD\n", "", "MIT OR Apache-2.0"),
        ("License: mit  license\n", "", "MIT"),
        ("License: MPL-2.0 AND MIT\n", "", "MPL-2.0 AND MIT"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: ISC License (ISCL)\n", "", "ISC"),
        ("License: Dual License\nClassifier: License :: OSI Approved :: MIT License\n", "", "MIT"),
        ("License: Copyright (c) somebody\n        Neither the name of\n        the author\n", "", "BSD-3-Clause"),
        ("License: BSD\n", "Redistributions in binary form must reproduce the above", "BSD-2-Clause"),
        ("", "   Apache License\n     Version 2.0, January 2004", "Apache-2.0"),
        (
            "Classifier: License :: OSI Approved :: BSD License\nClassifier: License :: OSI Approved :: MIT License\n",
            "Permission is hereby granted,\nfree of charge",
            "MIT",
        ),
    ],
)
def test_metadata_have_it_in_many_ways(
    fields: str, text: str, licence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expression, name, classifier, a whole text in a field, a file."""
    installed(tmp_path, fields, text)
    monkeypatch.syspath_prepend(tmp_path)
    assert licence_of("odd") == licence


@pytest.mark.parametrize(
    "fields", ["", "License: UNKNOWN\n", "License: BSD\n", "Classifier: License :: OSI Approved :: BSD License\n"]
)
def test_a_licence_is_never_guessed(fields: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What names none is an error that says where to write it down; what is written down there counts."""
    installed(tmp_path, fields, "All rights reserved.")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MetadataError, match="Look it up: CORRECTIONS in"):
        licence_of("odd")
    monkeypatch.setitem(CORRECTIONS, "odd", ("ISC", "its author says so"))
    assert licence_of("odd") == "ISC"


def test_a_package_that_is_not_there_is_no_package_without_dependencies() -> None:
    """Neither installed nor written down: told, with what to do."""
    with pytest.raises(MetadataError, match="nowhere-to-be-found is not installed"):
        requirements_of("nowhere-to-be-found")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "pins nothing"), ("# none\n\n", "pins nothing"), ("a==1\nb>=2\n", "line 2: 'b>=2' pins no version")],
)
def test_constraints_pin_versions(text: str, words: str, tmp_path: Path) -> None:
    """A file that pins nothing, or something in another way, is refused."""
    (tmp_path / "constraints.txt").write_text(text, encoding="utf-8")
    with pytest.raises(MetadataError, match=words):
        read_pins(tmp_path / "constraints.txt")
