"""Which groups are meant: those of a run's table, of the ledger, or named ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import PhoneGroup, State
from itnio_nb.errors import InputError
from itnio_nb.ledger.ledger import Ledger

Groups = Ledger | pd.DataFrame | Iterable[str | PhoneGroup]


# Of a run's table: groups that have phones, or may have. A batch that was wrong is quarantined as a whole.
MAY_HAVE_PHONES = (State.CREATED, State.PARTIAL, *State.UNRESOLVED)


def named_groups(
    client: Client, app_id: str, groups: Groups, states: Collection[str] = (State.CREATED,)
) -> dict[str, int]:
    """Return the number of phones that each group, by name, was asked for; 1 where only its name is given.

    `states`: see `created_groups`.
    """
    groups = known_table(client, groups)
    if isinstance(groups, pd.DataFrame):
        return created_groups(app_id, groups, states)
    if isinstance(groups, str | PhoneGroup):
        groups = [groups]
    if not isinstance(groups, Iterable):
        raise InputError("Groups are given as a table or by their names: give run.table.")
    named = [(one.group_name, one.quantity) if isinstance(one, PhoneGroup) else (str(one), 1) for one in groups]
    if not named:
        raise InputError("No group was named: give run.table, or group names.")
    return dict(named)


def known_table(client: Client, groups: Groups) -> pd.DataFrame | Iterable[str | PhoneGroup]:
    """Return the groups of a ledger as a table, read once; what else is given as it is."""
    return groups.table_for(client.account)[["appId", "groupName", "state"]] if isinstance(groups, Ledger) else groups


def created_groups(app_id: str, table: pd.DataFrame, states: Collection[str] = (State.CREATED,)) -> dict[str, int]:
    """Return the groups of one application that a run, or an earlier one, has created, with their sizes.

    `states` are those of groups that count as created by the run itself.
    """
    if "groupName" not in table.columns:
        raise InputError("The table of groups has no column groupName: give run.table, or group names.")
    chosen = table[table["appId"] == app_id] if "appId" in table.columns else table
    if "state" in table.columns:
        earlier = chosen["created_in"] != "" if "created_in" in chosen.columns else False
        chosen = chosen[chosen["state"].isin(states) | earlier]
    if chosen.empty:
        raise InputError(
            f"No group of application {app_id} was created here: for groups that existed before, give their names."
        )
    try:
        sizes = chosen["quantity"].astype("int64") if "quantity" in chosen.columns else pd.Series(1, index=chosen.index)
    except (TypeError, ValueError):
        raise InputError("The table's quantity holds something that is no whole number: give run.table.") from None
    return dict(zip(chosen["groupName"].astype(str), sizes.tolist(), strict=True))
