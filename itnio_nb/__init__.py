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
    from itnio_nb.api.account.account import Account
    from itnio_nb.api.account.secret import Secret
    from itnio_nb.api.client import Client
    from itnio_nb.api.models import LIMITS, Limits, PhoneGroup, Receipt, State
    from itnio_nb.api.signing import sign, signed_headers
    from itnio_nb.errors import (
        AccountError,
        AccountWarning,
        InputError,
        ItnioError,
        LedgerError,
        ServiceError,
        StalePlanError,
    )
    from itnio_nb.forms.batch.form import BatchForm
    from itnio_nb.forms.order import OrderForm
    from itnio_nb.forms.review.form import ReviewForm
    from itnio_nb.ledger.ledger import Ledger
    from itnio_nb.orders.check import check_orders
    from itnio_nb.orders.export.findings import write_findings
    from itnio_nb.orders.export.template import write_template
    from itnio_nb.orders.read import read_orders
    from itnio_nb.runbooks.outcome import Outcome, exit_code, runbook_orders, runbook_outcome, runbook_plan
    from itnio_nb.runbooks.parameters import check_parameters
    from itnio_nb.runs.credentials.hand_over import export_credentials, hand_over
    from itnio_nb.runs.credentials.reset import reset_passwords
    from itnio_nb.runs.plan import Plan, make_plan
    from itnio_nb.runs.preflight.preflight import preflight
    from itnio_nb.runs.reconcile.report import reconcile
    from itnio_nb.runs.run import Run
    from itnio_nb.runs.submit import resume, submit_plan
    from itnio_nb.sandbox.sandbox import Sandbox
    from itnio_nb.workspace import Workspace, open_workspace

__version__ = "0.1.0"

__all__ = [
    "LIMITS",
    "Account",
    "AccountError",
    "AccountWarning",
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
    "Workspace",
    "check_orders",
    "check_parameters",
    "exit_code",
    "export_credentials",
    "hand_over",
    "make_plan",
    "open_workspace",
    "preflight",
    "read_orders",
    "reconcile",
    "reset_passwords",
    "resume",
    "runbook_orders",
    "runbook_outcome",
    "runbook_plan",
    "sign",
    "signed_headers",
    "submit_plan",
    "write_findings",
    "write_template",
]

_HOMES = {
    "forms.batch.form": ("BatchForm",),
    "orders.check": ("check_orders",),
    "api.client": ("Client",),
    "errors": (
        "AccountError",
        "AccountWarning",
        "InputError",
        "ItnioError",
        "LedgerError",
        "ServiceError",
        "StalePlanError",
    ),
    "runs.credentials.hand_over": ("export_credentials", "hand_over"),
    "runs.credentials.reset": ("reset_passwords",),
    "ledger.ledger": ("Ledger",),
    "orders.export.findings": ("write_findings",),
    "orders.export.template": ("write_template",),
    "api.models": ("LIMITS", "Limits", "PhoneGroup", "Receipt", "State"),
    "forms.order": ("OrderForm",),
    "runs.plan": ("Plan", "make_plan"),
    "runs.preflight.preflight": ("preflight",),
    "orders.read": ("read_orders",),
    "forms.review.form": ("ReviewForm",),
    "runs.run": ("Run",),
    "runbooks.outcome": ("Outcome", "runbook_orders", "runbook_outcome", "runbook_plan", "exit_code"),
    "runbooks.parameters": ("check_parameters",),
    "sandbox.sandbox": ("Sandbox",),
    "runs.reconcile.report": ("reconcile",),
    "api.account.account": ("Account",),
    "api.account.secret": ("Secret",),
    "api.signing": ("sign", "signed_headers"),
    "runs.submit": ("resume", "submit_plan"),
    "workspace": ("Workspace", "open_workspace"),
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
