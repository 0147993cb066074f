"""Runs in the ledger: opened once, joined, replaced, closed; and what changes is noticed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from itnio_nb import Account, Client, Ledger, State, submit_plan
from itnio_nb.ledger.queries import GROUPS_OF_RUN
from itnio_nb.runs.plan import make_plan
from tests.support.factories import many_orders, orders_frame
from tests.support.ledgers import ACCOUNT, NOBODY, claim, close, open_run, record


def test_runs_of_one_second_have_names_of_their_own(ledger: Ledger) -> None:
    """The name begins the names of files."""
    ids = [open_run(ledger, account=Account(f"key{at}", "secret")) for at in range(4)]
    names = [ledger.run_store.run_info(run_id, "name")["name"] for run_id in ids]
    assert len(set(names)) == 4
    assert all(name.replace("-", "").isalnum() for name in names)
    assert ledger.runs[["groups", "phones"]].to_numpy().tolist() == [[3, 9]] * 4


def test_an_unfinished_run_is_joined(ledger: Ledger) -> None:
    """By exactly what it was asked for, until it is finished; another account has runs of its own."""
    run_id = open_run(ledger)
    assert open_run(ledger) == run_id
    assert open_run(ledger, account=Account("other", "secret")) != run_id
    close(ledger, run_id, finished=False, note="stopped")
    assert ledger.run_store.run_info(run_id, "note")["note"] == "stopped"
    assert open_run(ledger) == run_id
    assert ledger.run_store.run_info(run_id, "note")["note"] == ""  # how it ended before is no news any more
    close(ledger, run_id, note="done")
    close(ledger, run_id, finished=False, note="a latecomer's")
    assert ledger.run_store.run_info(run_id, "note")["note"] == "done"
    assert open_run(ledger) != run_id


def test_a_run_that_was_asked_for_something_else_takes_its_place(ledger: Ledger) -> None:
    """The same groups with other actions or orders: what was confirmed last counts, the old run ends."""
    plan = make_plan(many_orders(3))
    exists = (ACCOUNT, plan.fingerprint, plan.table.assign(again_after=None, action="exists"), "{}")
    old = open_run(ledger)
    assert not ledger.run_store.has_unfinished(*exists)
    other_actions = ledger.run_store.open_run(*exists, NOBODY)
    assert ledger.run_store.has_unfinished(*exists)
    assert len({old, other_actions, open_run(ledger, orders="[]")}) == 3
    assert ledger.runs["finished"].ne("").tolist() == [True, True, False]
    assert ledger.runs["note"].iloc[0] == f"Run {ledger.runs['run'].iloc[1]} took its place."


def test_a_run_that_somebody_works_on_is_joined(ledger: Ledger) -> None:
    """Whatever has been created since: its groups are the same. Nobody's run is replaced, as ever."""
    plan, store, control = make_plan(many_orders(3)), ledger.run_store, ledger.run_control
    wanted = (ACCOUNT, plan.fingerprint, plan.table.assign(again_after=None, action="exists"), "{}")
    owner, colleague = control.new_owner(), control.new_owner()
    run_id = control.join(open_run(ledger), owner.token)
    assert control.is_worked_on(run_id)
    assert not control.is_worked_on(run_id, besides=owner.token)
    assert store.has_unfinished(*wanted)
    assert store.open_run(*wanted, colleague.token) == run_id
    assert control.is_worked_on(run_id, besides=owner.token)
    owner.release()
    assert store.open_run(*wanted, NOBODY) == run_id  # the colleague is at it
    colleague.release()
    assert not control.is_worked_on(run_id)
    assert store.open_run(*wanted, NOBODY) != run_id
    assert ledger.runs["note"].iloc[0].endswith("took its place.")


def test_a_runs_table_keeps_the_order_of_the_plan(ledger: Ledger) -> None:
    """With the newest receipt of this run, and the state from elsewhere."""
    first = open_run(ledger)
    record(ledger, first, 1, State.CREATED, "0")
    close(ledger, first)
    table = ledger.run_store.run_table(open_run(ledger))[["groupName", "state", "before"]]
    assert table.to_numpy().tolist() == [["group-0", "", ""], ["group-1", "", "created"], ["group-2", "", ""]]


def test_the_change_token_differs_after_every_change(ledger: Ledger) -> None:
    """A run, a claim, a receipt, the end of a run; reading changes nothing."""
    owner, token = ledger.run_control.new_owner(), ledger.run_store.change_token
    tokens = [token()]
    run_id = open_run(ledger)
    tokens.append(token())
    assert claim(ledger, run_id, 0, owner.token)
    tokens.append(token())
    record(ledger, run_id, 0, State.REFUSED, "-22", owner.token)
    tokens.append(token())
    close(ledger, run_id)
    tokens.append(token())
    _ = (ledger.table, ledger.history)
    assert token() == tokens[-1]
    assert len(set(tokens)) == len(tokens)
    owner.release()


def test_the_work_for_a_runs_table_grows_as_its_groups(ledger: Ledger) -> None:
    """In the database's own steps, with a receipt for each group: 8 times the groups, about 8 times the work."""
    store, work = ledger.run_store, []
    for number in (200, 1600):
        run_id = open_run(ledger, number, Account(f"key{number}", "secret", ACCOUNT.base_url))
        rows = f"SELECT group_id, run_id, position, 'created', '', '', '', '' FROM run_groups WHERE run_id = {run_id}"
        with store.database.transaction(write=True) as connection:
            columns = "group_id, run_id, position, state, status, reason, advice, at"
            connection.exec_driver_sql(f"INSERT INTO receipts ({columns}) {rows}")
        assert len(store.run_table(run_id)) == number
        with store.database.transaction() as connection:
            work.append(steps(connection, GROUPS_OF_RUN.params(run_id=run_id)))
    assert 0 < work[1] < 12 * work[0]


def steps(connection: sa.Connection, query: sa.Select[Any]) -> int:
    """Count a database's steps for a query: SQLite's instructions by the hundred, or pages that PostgreSQL reads."""
    if connection.dialect.name == "postgresql":
        asked: list[tuple[Any, ...]] = []
        sa.event.listen(connection, "before_cursor_execute", lambda _, __, *statement: asked.append(statement))
        connection.execute(query).all()
        statement, parameters = asked[0][:2]
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
        plan = connection.exec_driver_sql(explain, parameters).scalar_one()[0]["Plan"]
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    driver: Any = connection.connection.driver_connection
    counted = [0]

    def count() -> int:
        counted[0] += 1
        return 0

    driver.set_progress_handler(count, 100)
    connection.execute(query).all()
    driver.set_progress_handler(None, 0)
    return counted[0]


def test_groups_are_found_by_a_part_of_their_name(ledger: Ledger, client: Client) -> None:
    """In any case, as text: nothing in it is a pattern; in each run that has them, in order."""
    for names in (("Straße", "50 %_off", "other"), ("OTHER", "[x]*", "strasse")):
        orders = orders_frame(*((name, f"phone-{name}") for name in names))
        submit_plan(make_plan(orders), client, ledger).wait()
    find = ledger.run_store.find_groups
    assert find("STRASSE") == find("straße") == {1: [0], 2: [2]}
    assert find("%_") == {1: [1]}
    assert find("_") == {1: [1]}
    assert find("[x]") == {2: [1]}
    assert find("TH") == {1: [2], 2: [0]}
    assert find("nothing") == {}
    assert sum(map(len, find("").values())) == 6
