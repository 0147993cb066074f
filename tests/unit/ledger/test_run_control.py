"""What all who work on a run have in common: terms, turns, Stop."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from itnio_nb import Ledger
from itnio_nb.ledger.run_control import Directions, RunTerms
from tests.support.ledgers import claim, open_run


def test_the_terms_of_a_run_hold_for_whoever_goes_on_with_it(ledger: Ledger) -> None:
    """Until somebody says something else, while nobody works on it."""
    control, run_id = ledger.run_control, open_run(ledger)
    assert control.terms(run_id) == RunTerms(None, None, None)
    for given, kept in (
        (RunTerms(4, 30, 9), RunTerms(4, 30, 9)),
        (RunTerms(), RunTerms(4, 30, 9)),
        (RunTerms(16), RunTerms(16, 30, 9)),
        (RunTerms(None, 60.5), RunTerms(16, 60.5, 9)),
        (RunTerms(None, None, 12), RunTerms(16, 60.5, 9)),  # what was confirmed first stands
    ):
        owner = control.new_owner()
        control.join(run_id, owner.token, given)
        assert control.terms(run_id) == kept
        owner.release()


def test_who_joins_can_make_a_run_slower_and_not_faster(ledger: Ledger) -> None:
    """What the others were promised holds; a rate that nobody has named can be named."""
    control, owner = ledger.run_control, ledger.run_control.new_owner()
    run_id = control.join(open_run(ledger), owner.token, RunTerms(8))
    control.join(run_id, "a colleague", RunTerms(16, 50))
    assert control.terms(run_id) == RunTerms(8, 50)
    control.join(run_id, "a colleague", RunTerms(4, 100))
    assert control.terms(run_id) == RunTerms(4, 50)
    control.slow_down(run_id, 20)
    control.slow_down(run_id, 40)
    assert control.terms(run_id) == RunTerms(4, 20)
    owner.release()


def test_turns_are_spaced_evenly_whoever_takes_them(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """No second has more of them than the rate says; those of a clock that was set back are not waited for."""
    control, run_id = ledger.run_control, open_run(ledger)
    assert control.take_turns(run_id, 3) == []
    control.slow_down(run_id, 30)
    before, now, ahead = time.time(), [0.0], 0.5  # the ledger's clock may be another machine's
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(type(ledger.database), "clock", lambda *_: now[0] + ahead)
    now[0] = before
    turns = [turn for number in (10, 1, 20, 5, 60) for turn in control.take_turns(run_id, number)]
    gaps = [after - turn for turn, after in pairwise(turns)]
    assert turns[0] >= before
    assert (min(gaps), max(gaps)) == pytest.approx((1 / 29.4, 1 / 29.4), abs=1e-5)
    assert max(sum(turn <= other <= turn + 1 for other in turns) for turn in turns) <= 30
    found = ledger.run_store.sync(run_id, "owner", wanted=[(0, 0)], turns=2)
    assert found.turns == pytest.approx([turns[-1] + 1 / 29.4, turns[-1] + 2 / 29.4], abs=1e-5)
    now[0] = before - 5000
    assert control.take_turns(run_id, 1) == [before - 5000]


def test_stop_is_for_those_who_work_on_a_run_now(ledger: Ledger) -> None:
    """Who joins it afterwards goes on; other runs are not concerned."""
    control, run_id = ledger.run_control, open_run(ledger)
    other_run = control.join(open_run(ledger, 2), "elsewhere")
    for name in ("one", "two"):
        control.join(run_id, name, RunTerms(None, 7))
    assert claim(ledger, run_id, 0, "two")
    assert control.directions(run_id, "one") == Directions(stopping=False, rate=7, held=0)
    control.stop(run_id)
    control.join(run_id, "late")
    assert claim(ledger, run_id, 1, "late")
    assert [control.directions(run_id, name)[0] for name in ("one", "two", "late", "unknown")] == [
        True,
        True,
        False,
        False,
    ]
    assert control.directions(other_run, "elsewhere") == Directions(stopping=False, rate=None, held=0)
    assert (control.claim_owners(run_id), control.claim_owners(run_id, stopping=True)) == ({"two", "late"}, {"two"})
