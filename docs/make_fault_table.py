"""Write docs/faults.md: what each fault of the sandbox's menu shows the operator, and what each status does."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
os.environ["ITNIO_PROGRESS"] = "off"

from itnio_nb.api.models import State  # noqa: E402 - after the path is set
from itnio_nb.api.statuses import SIBLING_STATUSES, STATUSES, UNDOCUMENTED, StatusInfo  # noqa: E402 - as above
from itnio_nb.sandbox.faults import KINDS  # noqa: E402
from tests.torture.test_faults import observed, table_row  # noqa: E402 - after the path is set

HEAD = """# What can go wrong, and what you see

Written by `make docs` from `tests/torture/test_faults.py`, which meets each fault with a run of one group of four
phones and compares what the run shows with this table. The faults are those of `itnio-nb sandbox --faults`
(`--list-faults`).

A request for a new password meets them as `reset:drop-after` and the like, all but `half` and `late`: where phones are
created here, the password is changed there. `tests/unit/sandbox/test_reset.py` meets each.

"Receipts" has every receipt of the group in order, as `ledger.history` shows them. A group is sent again only after two
listings of its application, the second after a pause, have shown that it is not there, or where the response itself
says so.

| fault | what happens | receipts | in the end |
|---|---|---|---|
"""

STATUSES_HEAD = """
## Statuses

What a run does with each answer. One that the API document does not list keeps its number and words in table, summary
and files; a listing shows whether the group is there, and it is never sent again by itself.
`tests/torture/test_answers.py` meets each of them as the third of 40 answers.

| status | words | listed in | what the run does |
|---|---|---|---|
"""
_STOPS = {"run": "stops the run", "application": "sends nothing more to the application", "": ""}
_BY_STATE = {State.CREATED: "created", State.REFUSED: "refused", State.EXISTS: "looks which name is taken, and by what"}


def status_row(status: str, info: StatusInfo) -> str:
    """Return one row of the table of statuses."""
    does = _BY_STATE.get(info.state, "looks; not there: sends it again")
    if not info.documented:
        does = "looks; not there: refused"
    if status == "-15":
        does = "halves its pace, looks; not there: not sent"
    if status == "-16":
        does = "signs once more with the server's time; still refused"
    scope = _STOPS[info.failure_scope]
    return f"| {status} | {info.reason} | {info.source or 'the API document'} | {does}{scope and f'; {scope}'} |"


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        rows = [table_row(kind, observed(kind, f"{folder}/{kind}.sqlite")) for kind in KINDS]
    statuses = [status_row(status, info) for status, info in (STATUSES | SIBLING_STATUSES).items()]
    statuses.append(status_row("any other", UNDOCUMENTED))
    text = HEAD + "\n".join(rows) + "\n" + STATUSES_HEAD + "\n".join(statuses) + "\n"
    (HERE / "faults.md").write_text(text, encoding="utf-8")
