"""The code that README and docs show, as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.factories import ROOT


def test_the_readmes_line_runs(tmp_path: Path) -> None:
    """The code that it shows, as it stands, on the notebook's spreadsheet."""
    code = (ROOT / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    (tmp_path / "phones.xlsx").write_bytes((ROOT / "notebooks" / "data" / "phones.xlsx").read_bytes())
    script = code + "print(run.summary)\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Done. Groups: 43 created (868 phones)")
    assert len(list((tmp_path / "results").glob("*.csv"))) == 6
