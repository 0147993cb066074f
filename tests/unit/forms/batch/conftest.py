"""A batch form on a sandbox, and a person at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from itnio_nb import BatchForm, Client, Ledger
from tests.support.forms import Batch


@pytest.fixture
def batch(client: Client, ledger: Ledger) -> Iterator[Batch]:
    with closing(BatchForm(client, ledger)) as made:
        yield Batch(made)
