"""Each status from -1 to -40 as the third answer of 40 groups: requests, words, files, and the state of all others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Client, Ledger, Sandbox, State, make_plan, submit_plan
from tests.support.agreement import require_agreement
from tests.support.factories import APP, many_orders

# As the API document and the vendor's lists for other services say; all other statuses concern one group.
STOPS_THE_RUN = (-1, -2, -16, -10, -13, -29, -30, -31)
STOPS_THE_APPLICATION = (-23, -32, -36)
DOCUMENTED = (-1, -2, -16, -18, -20, -22, -23)
WORDS = {-10: "Balance insufficient", -21: "Data validation exception", -31: "Address not in the whitelist"}
WORKERS = 4


@pytest.mark.parametrize("number", range(-40, 0))
def test_a_status_is_met_once(sandbox: Sandbox, client: Client, ledger: Ledger, tmp_path: Path, number: int) -> None:
    """Its number and words are kept in table, summary and file; nothing that was refused is sent again."""
    others = many_orders(5, app_id="other").assign(groupName=[f"other-{at}" for at in range(5)])
    plan = make_plan(pd.concat([many_orders(40), others]), client, ledger)
    sandbox.faults = f"none,none,{number}-before"
    run = submit_plan(plan, client, ledger, workers=WORKERS).wait(60)
    sent = [one.app_id for one in sandbox.log if one.endpoint == "sipAdd"]
    table, state = run.table, State.PLANNED if number == -15 else State.REFUSED
    if number == -18:
        assert (run.counts, len(sent)) == ({"created": 45}, 46)
        return
    assert table[table["status"] == str(number)]["state"].tolist() == [state]
    reason = str(table.loc[table["status"] == str(number), "reason"].item())
    assert WORDS.get(number, "") in reason
    filed = pd.read_csv(run.write_results(tmp_path)["notsent" if number == -15 else "refused"], dtype=str)
    assert (filed["itnio_status"] == str(number)).sum() == 1
    assert filed.loc[filed["itnio_status"] == str(number), "itnio_reason"].item() == reason
    assert (f"{number} (" in run.summary) == (number not in DOCUMENTED) or number in STOPS_THE_APPLICATION
    states = table[table["status"] != str(number)].groupby("appId")["state"]
    rest = {str(app_id): part.value_counts().to_dict() for app_id, part in states}
    if number in STOPS_THE_RUN:
        assert len(sent) <= 3 + 2 * WORKERS
        assert "It stopped itself (" in run.summary
    elif number in STOPS_THE_APPLICATION:
        assert sent.count(APP) <= 3 + 2 * WORKERS
        assert rest["other"] == {"created": 5}
        assert f"Nothing more was sent to application {APP} (status {number}, " in run.summary
    else:
        assert len(sent) == 45
        assert (rest[APP], rest["other"]) == ({"created": 39}, {"created": 5})
    assert set(table["state"]) <= {State.CREATED, State.PLANNED, state}
    require_agreement(run, ledger, sandbox, tmp_path)
