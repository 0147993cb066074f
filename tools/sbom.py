"""Write sbom.cdx.json: what itnio-nb and its extras bring, as CycloneDX; needs no network."""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

from tools.dependencies import (
    ENVIRONMENTS,
    EXTRAS,
    PROJECT,
    ROOT,
    Bundled,
    MetadataError,
    Pin,
    bundled_libraries,
    dependency_graph,
    read_pins,
    require_pinned,
)
from tools.licences import licence_of

SPECIFICATION = "1.6"


def bill_of_materials() -> dict[str, Any]:
    """Return the bill of materials of itnio-nb and the versions that constraints.txt pins, for all platforms.

    The same pins make the same text on every machine: it has no time, no serial number and no path.
    """
    require_pinned()
    graph = dependency_graph(EXTRAS, ENVIRONMENTS)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    main = Pin(PROJECT, project["version"])
    pins = [pin for pin in read_pins() if pin.name in graph]
    references: dict[str, list[str]] = {}
    for pin in (main, *pins):
        references.setdefault(pin.name, []).append(_reference(pin))
    bundled = [_bundled_component(one) for one in bundled_libraries()]
    inside = [one["bom-ref"] for one in bundled]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {"component": _component(main, "application", project["description"])},
        "components": [*map(_component, pins), *bundled],
        "dependencies": [
            {
                "ref": _reference(pin),
                "dependsOn": sorted(
                    [*(each for name in graph[pin.name] for each in references[name]), *(inside if pin is main else ())]
                ),
            }
            for pin in (main, *pins)
        ]
        + [{"ref": reference, "dependsOn": []} for reference in inside],
    }


def _reference(pin: Pin) -> str:
    """Return the name of a version in the graph: its package URL, but for itnio-nb, which is in no index."""
    return f"{'' if pin.name == PROJECT else 'pkg:pypi/'}{pin.name}@{pin.version}"


def _bundled_component(library: Bundled) -> dict[str, Any]:
    url = f"pkg:npm/{library.name.replace('@', '%40')}@{library.version}"
    names = {"name": library.name, "version": library.version, "purl": url, "bom-ref": url}
    return {"type": "library", **names, "licenses": [{"expression": library.licence}]}


def _component(pin: Pin, kind: str = "library", description: str = "") -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": kind,
        "bom-ref": _reference(pin),
        "name": pin.name,
        "version": pin.version,
        "licenses": [{"expression": licence_of(pin.name)}],
    }
    if pin.name != PROJECT:
        component["purl"] = _reference(pin)
    if description:
        component["description"] = description
    if pin.marker:
        component["properties"] = [{"name": "itnio-nb:only-where", "value": pin.marker}]
    return component


def invalid(text: str) -> str:
    """Return what CycloneDX's own schema objects to in a bill of materials, or nothing."""
    try:
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
    except ImportError:
        raise SystemExit("cyclonedx-python-lib is not installed, so nothing was written: make sbom.") from None
    error = JsonStrictValidator(SchemaVersion.from_version(SPECIFICATION)).validate_str(text)
    return str(error).partition("\n")[0] if error else ""


def main() -> None:
    """Write the file, once it is valid."""
    parser = argparse.ArgumentParser(prog="python -m tools.sbom", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("sbom.cdx.json"), help="the file; sbom.cdx.json")
    path = parser.parse_args().output
    try:
        bill = bill_of_materials()
    except MetadataError as error:
        raise SystemExit(str(error)) from None
    text = json.dumps(bill, indent=2, ensure_ascii=False) + "\n"
    if objection := invalid(text):
        raise SystemExit(f"The bill of materials is not valid CycloneDX {SPECIFICATION}, nothing written: {objection}")
    path.write_text(text, encoding="utf-8")
    main_component = bill["metadata"]["component"]
    print(
        f"{path}: {PROJECT} {main_component['version']} and the {len(bill['components'])} versions that "
        f"constraints.txt pins for it and its extras {', '.join(EXTRAS[1:])}; valid CycloneDX {SPECIFICATION}."
    )


if __name__ == "__main__":
    main()
