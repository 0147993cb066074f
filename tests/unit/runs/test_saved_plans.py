"""Saved plans of others: whatever was changed in one, it is refused in words or is a plan."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from itnio_nb import Client, InputError, Ledger, Plan, StalePlanError, make_plan, submit_plan
from itnio_nb.runs.plan import _checksum
from tests.support.factories import orders_frame

# What stands in the place of something else, or is done to it.
ODD: list[Any] = [None, True, -1, 0, 1.5, 10**30, "", "../x", "\ud800", "create", float("nan")]
ODD += [[], {}, [[]], [["a"] * 7], {"a": 1}]
REMOVED, DOUBLED = object(), object()


@pytest.fixture
def good(client: Client, tmp_path: Path) -> dict[str, Any]:
    """What is in the file of a trial: one of its orders is invalid, one is three groups."""
    orders = orders_frame(("sales", "desk", "120"), (" abc",), ("support", "line", "50"), ("gone", "phone", "7"))
    path = make_plan(orders, client).first(2).save(tmp_path / "plan.json")
    contents: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    return contents


def places(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where anything stands in JSON, at most two of the entries of a list."""
    if at:
        yield at
    inside = node.items() if isinstance(node, dict) else enumerate(node[:2]) if isinstance(node, list) else ()
    for key, child in inside:
        yield from places(child, (*at, key))


def changed(contents: Any, at: tuple[Any, ...], odd: object) -> Any:
    """A copy in which something odd stands in one place."""
    whole = copy.deepcopy(contents)
    *way, last = at
    place = whole
    for key in way:
        place = place[key]
    if odd is REMOVED:
        del place[last]
    elif odd is DOUBLED:
        place[last] = [place[last], place[last]]
    else:
        place[last] = odd
    return whole


def sealed(contents: dict[str, Any]) -> dict[str, Any]:
    """The same with the checksum that it should have: not changed by chance."""
    rest = {name: value for name, value in contents.items() if name != "checksum"}
    return rest | {"checksum": _checksum(rest)}


def damaged(good: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The contents with each change in each place, and those of the orders inside."""
    for at in places(good):
        yield from (changed(good, at, odd) for odd in (*ODD, REMOVED, DOUBLED))
    orders = json.loads(good["orders"])
    for at in places(orders):
        for odd in (*ODD, REMOVED, DOUBLED):
            yield good | {"orders": json.dumps(changed(orders, at, odd))}


def load(contents: dict[str, Any], path: Path) -> Plan | None:
    """The plan in a file of these contents; None where it is refused."""
    path.write_text(json.dumps(contents), encoding="ascii")
    try:
        return Plan.load(path)
    except InputError:
        return None


def test_every_change_by_chance_is_noticed(good: dict[str, Any], tmp_path: Path) -> None:
    """A plan that is loaded after all is the plan that was saved."""
    whole = load(good, tmp_path / "plan.json")
    assert whole is not None
    tried = 0
    for contents in damaged(good):
        plan = load(contents, tmp_path / "plan.json")
        tried += 1
        if plan is not None:
            assert repr(plan) == repr(whole)
            assert plan.whole_table.equals(whole.whole_table)
    assert tried > 1000


def test_every_change_on_purpose_is_refused_or_a_plan(
    good: dict[str, Any], client: Client, ledger: Ledger, tmp_path: Path
) -> None:
    """One that is loaded shows itself and can be submitted, or is stale; no file appears that nobody asked for."""
    seen = set[str]()
    for contents in damaged(good):
        plan = load(sealed(contents), tmp_path / "plan.json")
        if plan is None or (shown := f"{plan!r}{plan.whole_table}{plan._repr_html_()}") in seen:
            continue
        seen.add(shown)
        try:
            run = submit_plan(plan, client, ledger).wait()
            run.write_results(tmp_path / "results")
        except (InputError, StalePlanError):
            continue
    assert len(seen) > 20
    names = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert {name for name in names if not name.startswith("ledger.sqlite")} == {"plan.json", "results"}


@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device", "folder", "nested", "digits"])
def test_what_could_be_read_for_ever(kind: str, good: dict[str, Any], tmp_path: Path) -> None:
    """Pipes, devices, brackets without end, numbers of a million digits."""
    path = tmp_path / "odd"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        value = "[" * 1_000_000 if kind == "nested" else "9" * 1_000_000
        head = json.dumps(good)[: -len('"}')]
        path.write_text(f'{head}", "more": {value}}}', encoding="ascii")
    with pytest.raises(InputError, match=r"is not a saved plan|cannot be read|changed or damaged"):
        Plan.load(path)
