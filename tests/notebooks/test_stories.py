"""What the notebooks tell: every number in their texts is so, each cell is short, each form and chart has a picture."""

from __future__ import annotations

import base64
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from itnio_nb import LIMITS, Plan, Sandbox, check_orders, make_plan, read_orders
from itnio_nb.workspace import settings_of
from tests.support.factories import ROOT

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_LINES = 6  # of a cell
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "twenty"]
VALUES = dict(zip(WORDS, [*range(1, 13), 20], strict=True)) | {"hundred": 100}
# Words that count nothing: "one order", "for one of them".
NO_NUMBERS = re.compile(r"\b(?:one|One)\b(?! request| group of)")


def cells_of(path: Path, kind: str) -> list[dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def numbers_in(path: Path) -> set[int]:
    """Every number in the texts of a notebook, in digits or as a word; code in them is left out."""
    text = "\n".join("".join(cell["source"]) for cell in cells_of(path, "markdown"))
    text = re.sub(r"```.*?```|`[^`]*`|\(attachment:[^)]*\)", "", text, flags=re.DOTALL)
    text = re.sub(r"GB18030|\*\*\d [A-Z]|^## \d|\[Step \d", "", NO_NUMBERS.sub("", text))
    words = "|".join(VALUES)
    found = re.findall(rf"\b(\d+)\b|\b({words})\b", text, flags=re.IGNORECASE)
    return {int(digits) if digits else VALUES[word.lower()] for digits, word in found}


def plan_of(name: str) -> Plan:
    return make_plan(read_orders(FOLDER / "data" / name))


def true_numbers() -> dict[str, set[int]]:
    """Of each notebook, the numbers that its texts may name, each from what it is about."""
    phones, floors = plan_of("phones.xlsx"), plan_of("floors.csv")
    abroad = read_orders(FOLDER / "data" / "phones-from-abroad.csv")
    lost = check_orders(abroad).set_index("value").loc["8.61E+09", "problem"]
    kept, digits = map(int, re.findall(r"\d+", str(lost)))
    hotline = int(str(abroad.set_index("groupName").loc["hotline", "quantity"]))
    parts = -(-hotline // LIMITS.group_max)
    created = 7  # of notebook 04, which asserts it itself: the loop that waits for them is in it
    claimed = 3
    return {
        "01-first-phones": {len(phones.orders), phones.orders["appId"].nunique(), 1, LIMITS.group_max, 3},
        "02-plan-a-batch": {digits - kept, digits, hotline, parts, LIMITS.group_max, 1, 2},
        "03-submit-and-review": {5},  # steps
        "04-resume-after-a-crash": {
            11,  # at night
            len(floors.groups),
            floors.groups[0].group.quantity,
            floors.phones,
            created,
            claimed,
            claimed - 1,
            len(floors.groups) - created - claimed,
            1,
            2,
        },
        "05-go-live": {1},
        "06-audit": set(),
        "my-batch": {6, 1},
        "runbook": set(range(7)),  # exit codes
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_numbers_in_texts_are_so(path: Path) -> None:
    """Each comes from the data or the limits; a new one has to be accounted for here."""
    assert numbers_in(path) <= true_numbers()[path.stem]


def test_my_batch_has_as_many_cells_as_it_says() -> None:
    """Six."""
    assert len(cells_of(FOLDER / "my-batch.ipynb", "code")) == 6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_use_the_package_from_outside(path: Path) -> None:
    """Six lines, no branch on the sandbox, no import from inside the package; the last one names the next notebook."""
    sources = ["".join(cell["source"]) for cell in cells_of(path, "code")]
    assert max(len(source.splitlines()) for source in sources) <= MOST_LINES
    assert not [source for source in sources if re.search(r"from itnio_nb\.|is_sandbox", source)]
    assert "ws" in sources[0].splitlines()
    if path.stem == "03-submit-and-review":  # its forms live as long as its kernel
        assert "Next: `04-resume-after-a-crash.ipynb`" in json.dumps(cells_of(path, "markdown")[-1], ensure_ascii=False)
        return
    assert "ws.close()" in sources[-1]
    if path.stem != "runbook":
        following = re.findall(r"next: ([\w-]+\.ipynb)", sources[-1])
        assert [name for name in following if (FOLDER / name).exists()] == following != []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_cell_shows_is_for_people(path: Path) -> None:
    """Tables or sentences: no tuple, no dict, no quotes of a text."""
    for cell in cells_of(path, "code"):
        for output in cell["outputs"]:
            text = "".join(output.get("data", {}).get("text/plain", ""))
            assert not re.match(r"[('\[{]|True$|False$|None$|\d+$", text), text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_forms_and_charts_have_pictures(path: Path) -> None:
    """Beside their words, for where no widget can be shown; each picture that a text names is in its cell."""
    for cell in cells_of(path, "code"):
        for output in cell["outputs"]:
            words = "".join(output.get("data", {}).get("text/plain", ""))
            if re.match(r"\w+Form: |\d+ groups?: ", words):
                assert is_a_picture(output["data"]["image/png"])
    for cell in cells_of(path, "markdown"):
        named = re.findall(r"!\[([^\]]+)\]\(attachment:([\w.-]+)\)", "".join(cell["source"]))
        assert all(len(alt.split()) > 3 for alt, _ in named)  # in words, for who cannot see it
        assert {name for _, name in named} == set(cell.get("attachments", {}))
        assert all(is_a_picture(one["image/png"]) for one in cell.get("attachments", {}).values())


def is_a_picture(data: str) -> bool:
    """Tell whether it is a PNG that one can read something in."""
    picture = base64.b64decode(data)
    width, height = struct.unpack(">II", picture[16:24])
    return picture.startswith(b"\x89PNG") and width > 600 and height > 200


def test_all_run_on_one_sandbox_and_ledger(tmp_path: Path) -> None:
    """From the last to the first, each in its own kernel: what the others have done before makes none fail."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for path in [*NOTEBOOKS, *(FOLDER / "data").glob("*.*")]:
        target = folder / path.relative_to(FOLDER)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    with Sandbox() as sandbox:
        settings = {**os.environ, **settings_of(sandbox.account), "ITNIO_PROGRESS": "off", "ITNIO_WIDGETS": "off"}
        names = [path.name for path in reversed(NOTEBOOKS)]
        command = [sys.executable, "-m", "jupyter", "execute", "--inplace", *names]
        done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in names:
        outputs = [output for cell in cells_of(folder / name, "code") for output in cell["outputs"]]
        assert not [output for output in outputs if output.get("name") == "stderr"]
    run = json.dumps(cells_of(folder / "01-first-phones.ipynb", "code"), ensure_ascii=False)
    assert "6 files in results/ with 44 orders" in run
