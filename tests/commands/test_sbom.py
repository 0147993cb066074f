"""`make sbom`: a bill of materials of what operators install, the same on every machine."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import itnio_nb
from tests.support.factories import ROOT
from tests.support.required import lacking
from tools.dependencies import ENVIRONMENTS, EXTRAS, MetadataError, bundled_libraries, dependency_graph, read_pins
from tools.sbom import bill_of_materials, invalid


def write_bill(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.sbom", "--output", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_has_what_operators_install() -> None:
    """Each version that is pinned for it, on any platform, with its licence; nothing that only tests need."""
    bill = bill_of_materials()
    names = dependency_graph(EXTRAS, ENVIRONMENTS)
    wanted = {(pin.name, pin.version) for pin in read_pins() if pin.name in names}
    wanted |= {(one.name, one.version) for one in bundled_libraries()}
    assert {(each["name"], each["version"]) for each in bill["components"]} == wanted
    assert {"pandas", "keyring", "jupyterlab", "pywinpty", "@tanstack/table-core"} <= {name for name, _ in wanted}
    assert not {"pytest", "mypy", "pip-audit", "esbuild"} & {name for name, _ in wanted}
    assert all(each["licenses"][0]["expression"] for each in bill["components"])


def test_it_is_of_itnio_nb() -> None:
    """Which is in no index: a package URL would lead to somebody else's package of that name."""
    bill = bill_of_materials()
    main = bill["metadata"]["component"]
    assert (main["name"], main["version"]) == ("itnio-nb", itnio_nb.__version__)
    assert main["licenses"] == [{"expression": "MIT"}]
    assert "purl" not in main


def test_every_component_is_reached_from_itnio_nb() -> None:
    """The graph has no loose ends."""
    bill = bill_of_materials()
    graph = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    reached, open_ = set(), [bill["metadata"]["component"]["bom-ref"]]
    while open_:
        if (reference := open_.pop()) not in reached:
            reached.add(reference)
            open_ += graph[reference]
    assert reached == graph.keys()
    assert reached == {each["bom-ref"] for each in (bill["metadata"]["component"], *bill["components"])}


def test_environments_that_are_not_pinned_have_no_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would mix the versions of one set with the graph and the licences of another."""
    monkeypatch.setattr("tools.dependencies.metadata.version", lambda name: "0.0.1" if name == "pandas" else "1")
    with pytest.raises(MetadataError, match=r"pandas 0\.0\.1 is installed, .* is pinned: make lint"):
        bill_of_materials()


def test_the_same_pins_make_the_same_file(tmp_path: Path) -> None:
    """In CycloneDX's own schema, byte for byte, without a time, a serial number or a path."""
    if not find_spec("cyclonedx"):
        lacking("no cyclonedx-python-lib: make sbom installs it")
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    done = write_bill(first)
    assert (done.returncode, done.stderr) == (0, "")
    assert "valid CycloneDX 1.6" in done.stdout
    assert write_bill(second).returncode == 0
    text = first.read_text(encoding="utf-8")
    assert text == second.read_text(encoding="utf-8")
    assert json.loads(text) == bill_of_materials()
    assert not {"serialNumber", "timestamp"} & {*json.loads(text), *json.loads(text)["metadata"]}
    assert str(ROOT) not in text
    assert str(Path.home()) not in text


def test_what_the_schema_refuses_is_told() -> None:
    """In one line."""
    if not find_spec("cyclonedx"):
        lacking("no cyclonedx-python-lib: make sbom installs it")
    bill = bill_of_materials()
    assert invalid(json.dumps(bill)) == ""
    bill["components"][0]["type"] = "nonsense"
    assert "nonsense" in invalid(json.dumps(bill))
    assert "\n" not in invalid(json.dumps(bill))
