"""Create SIP phones on an ITNIO Voice account from a spreadsheet, and know what became of each.

    orders = read_orders("phones.xlsx")
    plan = make_plan(orders, client, ledger)
    run = submit_plan(plan, client, ledger).wait()

`import itnio_nb` is quick: each name below loads its module when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itnio_nb.batch_form import BatchForm
    from itnio_nb.check import check_orders
    from itnio_nb.client import Client
    from itnio_nb.errors import AccountError, InputError, ItnioError, LedgerError, ServiceError, StalePlanError
    from itnio_nb.handover import export_credentials
    from itnio_nb.ledger import Ledger
    from itnio_nb.marked import write_findings
    from itnio_nb.model import LIMITS, Limits, PhoneGroup, Receipt, State
    from itnio_nb.order_form import OrderForm
    from itnio_nb.plan import Plan, make_plan
    from itnio_nb.read import read_orders
    from itnio_nb.review_form import ReviewForm
    from itnio_nb.run import Run
    from itnio_nb.runbook import Outcome, conclude, exit_code
    from itnio_nb.sandbox import Sandbox
    from itnio_nb.settle import reconcile
    from itnio_nb.signing import Account, Secret, sign, signed_headers
    from itnio_nb.submit import resume, submit_plan
    from itnio_nb.workplace import Workplace, open_workplace

__version__ = "0.1.0"

__all__ = [
    "LIMITS",
    "Account",
    "AccountError",
    "BatchForm",
    "Client",
    "InputError",
    "ItnioError",
    "Ledger",
    "LedgerError",
    "Limits",
    "OrderForm",
    "Outcome",
    "PhoneGroup",
    "Plan",
    "Receipt",
    "ReviewForm",
    "Run",
    "Sandbox",
    "Secret",
    "ServiceError",
    "StalePlanError",
    "State",
    "Workplace",
    "check_orders",
    "conclude",
    "exit_code",
    "export_credentials",
    "make_plan",
    "open_workplace",
    "read_orders",
    "reconcile",
    "resume",
    "sign",
    "signed_headers",
    "submit_plan",
    "write_findings",
]

_HOMES = {
    "batch_form": ("BatchForm",),
    "check": ("check_orders",),
    "client": ("Client",),
    "errors": ("AccountError", "InputError", "ItnioError", "LedgerError", "ServiceError", "StalePlanError"),
    "handover": ("export_credentials",),
    "ledger": ("Ledger",),
    "marked": ("write_findings",),
    "model": ("LIMITS", "Limits", "PhoneGroup", "Receipt", "State"),
    "order_form": ("OrderForm",),
    "plan": ("Plan", "make_plan"),
    "read": ("read_orders",),
    "review_form": ("ReviewForm",),
    "run": ("Run",),
    "runbook": ("Outcome", "conclude", "exit_code"),
    "sandbox": ("Sandbox",),
    "settle": ("reconcile",),
    "signing": ("Account", "Secret", "sign", "signed_headers"),
    "submit": ("resume", "submit_plan"),
    "workplace": ("Workplace", "open_workplace"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # found at once the next time
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
