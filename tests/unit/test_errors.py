"""The tree of errors."""

from __future__ import annotations

import pytest

from itnio_nb import AccountError, InputError, ItnioError, LedgerError, ServiceError, StalePlanError


@pytest.mark.parametrize("error", [AccountError, InputError, LedgerError, ServiceError, StalePlanError])
def test_one_root(error: type[ItnioError]) -> None:
    """Whoever catches ItnioError catches all; a status travels where the API gave one."""
    raised = error("what to do", status="-1")
    assert isinstance(raised, ItnioError)
    assert (str(raised), raised.status) == ("what to do", "-1")
    assert error("what to do").status == ""
