"""What all who work on a run have in common, in whatever process: who they are, on which terms they send, Stop."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from itnio_nb.ledger.claims import expire_claims, take_turns
from itnio_nb.ledger.database.database import Database, Owner
from itnio_nb.ledger.queries import ALL_WORKERS, CLAIM_OWNERS, DIRECTIONS, STOPPING_CLAIM_OWNERS, TERMS, WORKING_OWNERS
from itnio_nb.ledger.schema.rows import insert_missing
from itnio_nb.ledger.schema.tables import claims, run_owners, runs


class RunTerms(NamedTuple):
    """The terms of a run, whoever goes on with it; None is what nobody has said."""

    workers: int | None = None  # requests under way at once, in each process
    rate: float | None = None  # the most requests in one second, of all who work on it
    confirmed: int | None = None  # phones that it may create


NO_TERMS = RunTerms()
_MAX_HOLD = 300.0  # seconds; what is further away was written before the clock was set back, or by nobody of ours


class Directions(NamedTuple):
    """What somebody who works on a run is to do."""

    stopping: bool  # somebody has pressed Stop
    rate: float | None  # the most requests in one second, of all who work on it
    held: float  # seconds in which nothing is to be sent


class Worker(NamedTuple):
    """Somebody who has worked on a run, and where, as their process has said."""

    operator: str
    machine: str

    def written(self, between: str) -> str:
        """Return both with something between them, as in `anna@ops1`, or the one that there is."""
        return between.join(filter(None, self))


def all_workers(database: Database) -> dict[str, list[Worker]]:
    """Return who has ever worked on each run, by its name, in the order in which they first did."""
    found: dict[str, list[Worker]] = {}
    with database.transaction() as connection:
        for run, operator, machine in connection.execute(ALL_WORKERS):
            theirs, one = found.setdefault(run, []), Worker(operator, machine)
            if one not in theirs:  # with another version of the program
                theirs.append(one)
    return found


class RunControl:
    """Say who works on a run, on which terms, and whether they are to stop; reached as `ledger.run_control`.

    A run is known by its number, one who works on it by the token of an `Owner`. It can be used from any thread.
    Each method that writes is one transaction; every method raises `LedgerError` where the ledger cannot be used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def new_owner(self, longest_request: float = 0.0) -> Owner:
        """Return a new owner of claims: alive until it is released, or this process ends. Times are in seconds."""
        return self._database.new_owner(longest_request)

    def join(self, run_id: int, owner: str, terms: RunTerms = NO_TERMS) -> int:
        """Have `owner` work on a run until it is released, see `add_owner`; return the run's number."""
        with self._database.transaction(write=True) as connection:
            self.add_owner(connection, run_id, owner, terms)
        return run_id

    def add_owner(self, connection: sa.Connection, run_id: int, owner: str, terms: RunTerms) -> None:
        """Have `owner` work on a run, in the transaction of `connection`.

        What `terms` say holds from now on where nobody works on the run. While somebody does, they can make it slower,
        for all, and not faster. The number of phones that was confirmed first stands.
        """
        kept = RunTerms(*connection.execute(TERMS, {"run_id": run_id}).one())
        working = self._at_work(connection, run_id) - {owner}
        agreed = kept.confirmed if kept.confirmed is not None else terms.confirmed
        values = _merged(kept, terms, slower_only=bool(working))._replace(confirmed=agreed)._asdict()
        connection.execute(runs.update().where(runs.c.id == run_id).values(**values))
        if not working:  # how it ended before is no news any more
            open_again = (runs.c.id == run_id, runs.c.finished.is_(None))
            connection.execute(runs.update().where(*open_again).values(note="", verified=None))
        row = {"run_id": run_id, "owner": owner, "stopping": False, "longest": self._database.longest}
        row["actor_id"] = self._database.actor_number(connection, [run_id])
        connection.execute(insert_missing(connection, run_owners).values(**row))

    def terms(self, run_id: int) -> RunTerms:
        """Return the terms on which a run works."""
        with self._database.transaction() as connection:
            return RunTerms(*connection.execute(TERMS, {"run_id": run_id}).one())

    def slow_down(self, run_id: int, rate: float) -> None:
        """Have a run send at most so many requests in a second from now on, whoever works on it."""
        faster = (runs.c.id == run_id, sa.or_(runs.c.rate.is_(None), runs.c.rate > rate))
        with self._database.transaction(write=True) as connection:
            connection.execute(runs.update().where(*faster).values(rate=rate))

    def hold(self, run_id: int, seconds: float) -> None:
        """Have a run send nothing for so long, whoever works on it: the server is busy."""
        with self._database.transaction(write=True) as connection:
            until = self._database.clock(connection) + min(seconds, _MAX_HOLD)
            earlier = (runs.c.id == run_id, sa.or_(runs.c.held_until.is_(None), runs.c.held_until < until))
            connection.execute(runs.update().where(*earlier).values(held_until=until))

    def take_turns(self, run_id: int, number: int) -> list[float]:
        """Reserve the next turns of a run to send a request, see `claims.take_turns`."""
        with self._database.run_transaction(run_id) as connection:
            return take_turns(self._database, connection, run_id, number)

    def stop(self, run_id: int) -> None:
        """Have all who work on a run now stop, those too who cannot be reached: those who join it later go on."""
        with self._database.transaction(write=True) as connection:
            connection.execute(run_owners.update().where(run_owners.c.run_id == run_id).values(stopping=True))
            stops = sa.func.coalesce(runs.c.stops, 0) + 1
            connection.execute(runs.update().where(runs.c.id == run_id).values(stops=stops))

    def is_stopping(self, run_id: int) -> bool:
        """Tell whether all who work on a run are to stop."""
        going_on = WORKING_OWNERS.where(~run_owners.c.stopping)
        with self._database.transaction() as connection:
            return not self._at_work(connection, run_id, going_on)

    def directions(self, run_id: int, owner: str) -> Directions:
        """Return what one who works on a run is to do."""
        with self._database.transaction() as connection:
            stopping, rate, until = connection.execute(DIRECTIONS, {"run_id": run_id, "its_owner": owner}).one()
            held = 0.0 if until is None else until - self._database.clock(connection)
            return Directions(bool(stopping), rate, held if 0 < held <= _MAX_HOLD else 0.0)

    def is_worked_on(self, run_id: int, besides: str = "") -> bool:
        """Tell whether anybody works on a run, `besides` left out."""
        with self._database.transaction() as connection:
            return bool(self._at_work(connection, run_id) - {besides})

    def working_runs(self) -> set[str]:
        """Return the names of the runs that somebody works on."""
        query = sa.select(run_owners.c.owner, runs.c.name).join(runs)
        with self._database.transaction() as connection:
            names = {row.owner: row.name for row in connection.execute(query)}
            return {names[owner] for owner in self._database.living(connection, names.keys())}

    def claim_owners(self, run_id: int, *, stopping: bool = False) -> set[str]:
        """Return the owners that hold claims of a run, or those of them that are to stop."""
        with self._database.transaction() as connection:
            query = STOPPING_CLAIM_OWNERS if stopping else CLAIM_OWNERS
            return set(connection.execute(query, {"run_id": run_id}).scalars())

    def expire_claims(self) -> None:
        """Expire claims of dead processes: each group becomes `unknown`, because its request may have been sent.

        Nothing where the ledger can only be read: somebody who may write sees to it.
        """
        if self._database.is_read_only:
            return
        with self._database.transaction() as connection:
            owners = set(
                connection.execute(sa.union(sa.select(claims.c.owner), sa.select(run_owners.c.owner))).scalars()
            )
            dead = owners - self._database.living(connection, owners)
        if dead:
            with self._database.transaction(write=True) as connection:
                expire_claims(self._database, connection, list(dead))

    def _at_work(self, connection: sa.Connection, run_id: int, query: sa.Select[Any] = WORKING_OWNERS) -> set[str]:
        """Return those owners of a run, all or what `query` selects, that are alive."""
        owners = connection.execute(query, {"run_id": run_id}).scalars().all()
        return self._database.living(connection, owners)


def _merged(kept: RunTerms, given: RunTerms, *, slower_only: bool) -> RunTerms:
    """Return the terms with what is given, where it is; of two numbers the lower one if they are to be slower only."""
    terms = {}
    for name in ("workers", "rate"):
        old, new = getattr(kept, name), getattr(given, name)
        terms[name] = old if new is None else new if old is None or not slower_only else min(old, new)
    return kept._replace(**terms)
