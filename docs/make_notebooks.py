"""Run the notebooks anew and store them, with pictures of what a code host cannot show: forms and charts.

Run by `make notebooks`. A picture that looks as before stays as it was, byte for byte, so that a diff shows what has
changed in meaning. The forms are pictured in the running application; without Chromium their pictures stay.
"""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from make_screenshots import pictures
from PIL import Image

from tests.support.browser import find_chromium  # make_screenshots has put the root on the path

ROOT = Path(__file__).parent.parent
SETTINGS = {
    "ITNIO_SANDBOX": "1",
    "ITNIO_PROGRESS": "off",
    "ITNIO_WIDGETS": "off",
    "ITNIO_OPERATOR": "anna",  # what is stored is the same on every machine
    "ITNIO_MACHINE": "ops1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
FORMS = {"BatchForm": "new-batch", "OrderForm": "new-order", "ReviewForm": "new-review"}  # what a new one looks like
COLOURS = 64  # of a picture: enough for text and boxes, a third of the bytes
# Of 255: by so much two pictures of one thing differ on average, a form in its port, a chart in its curve over time.
SAME_FORM, SAME_CHART = 2.0, 12.0


def main() -> None:
    """Run each notebook, and store it with its pictures."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    before = {path: read(path) for path in paths}
    command: list[str | Path] = [Path(sys.executable).with_name("jupyter-execute"), "--inplace", *paths]
    subprocess.run(command, check=True, env={**os.environ, **SETTINGS})
    of_forms = {}
    if find_chromium():
        of_forms = {name: smaller(picture) for name, picture in pictures("light").items()}
    else:
        print("No Chromium: the pictures of the forms stay as they are (on Debian and Ubuntu, apt install chromium).")
    for path in paths:
        notebook = read(path)
        add_pictures(notebook, of_forms)
        keep_pictures(notebook, before[path])
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call] # nbformat


def read(path: Path) -> Any:
    """Read a notebook."""
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # nbformat


def add_pictures(notebook: Any, of_forms: dict[str, str]) -> None:
    """Put the picture of a form beside its words, and those that a text names into the text's cell."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for name in re.findall(r"\(attachment:([\w-]+)\.png\)", cell.source):
                if name in of_forms:
                    cell.setdefault("attachments", {})[f"{name}.png"] = {"image/png": of_forms[name]}
        for output in cell.get("outputs", ()):
            form = output.get("data", {}).get("text/plain", "").partition(":")[0]
            if FORMS.get(form) in of_forms:
                output["data"]["image/png"] = of_forms[FORMS[form]]


def keep_pictures(notebook: Any, before: Any) -> None:
    """Take each picture from the notebook as it was, where it looks the same and stands in the same place."""
    for (old, words_before), (new, words) in zip(holders(before), holders(notebook), strict=False):
        same = words == words_before and "image/png" in old
        most = SAME_CHART if re.match(r"\d+ groups?: ", words) else SAME_FORM
        if same and ("image/png" not in new or difference(old["image/png"], new["image/png"]) < most):
            new["image/png"] = old["image/png"]


def holders(notebook: Any) -> Iterator[tuple[Any, str]]:
    """Yield what can hold a picture, in order, and the words that say what is in it."""
    for cell in notebook.cells:
        for name in re.findall(r"\(attachment:([\w-]+\.png)\)", cell.source):
            yield cell.setdefault("attachments", {}).setdefault(name, {}), name
        for output in cell.get("outputs", ()):
            if "text/plain" in output.get("data", {}):
                yield output["data"], output["data"]["text/plain"]


def difference(one: str, other: str) -> float:
    """Return by how much two pictures differ on average, of 255; those of another size are others altogether."""
    first, second = (Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA") for data in (one, other))
    if first.size != second.size:
        return 255.0
    thumbnails = [np.asarray(each.reduce(8), dtype=float) for each in (first, second)]
    return float(np.abs(thumbnails[0] - thumbnails[1]).mean())


def smaller(picture: bytes) -> str:
    """Return a picture with fewer colours, as text for a notebook."""
    data = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS).save(data, "PNG", optimize=True)
    return base64.b64encode(data.getvalue()).decode()


if __name__ == "__main__":
    main()
