"""A ledger that a team shares: a database with the rights of docs/team/grants.sql, and a login for each role."""

from __future__ import annotations

from typing import NamedTuple

from itnio_nb import Ledger
from tests.support.cluster import Cluster
from tests.support.factories import ROOT

GRANTS = (ROOT / "docs" / "team" / "grants.sql").read_text(encoding="utf-8")
# Every role of the file has a login of its own in it.
_LOGINS = "CREATE ROLE anna LOGIN IN ROLE itnio_operator; CREATE ROLE audrey LOGIN IN ROLE itnio_auditor"


class Team(NamedTuple):
    """The addresses of one ledger, as three people write them."""

    cluster: Cluster
    owner: str
    operator: str
    auditor: str


def team_ledger(cluster: Cluster, database: str = "phones") -> Team:
    """Return a new ledger in a new server, made by its owner."""
    cluster.sql(f"CREATE DATABASE {database}")
    cluster.sql(GRANTS, database)
    cluster.sql(_LOGINS)
    owner, operator, auditor = (cluster.url(name, database) for name in ("itnio_owner", "anna", "audrey"))
    Ledger(owner).close()
    cluster.sql(GRANTS, database)
    return Team(cluster, owner, operator, auditor)
