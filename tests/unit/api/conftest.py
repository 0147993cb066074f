"""A client whose server a test makes up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from itnio_nb import Account, Client
from tests.support.factories import NOWHERE


@pytest.fixture
def live() -> Iterator[Client]:
    """Its transport is replaced by `responses`; plain http spares the root certificates."""
    with responses.mock, Client(Account("key", "secret", NOWHERE)) as made:
        yield made
