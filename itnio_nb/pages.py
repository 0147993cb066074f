"""All forms on one page, on the account that the environment names."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from itnio_nb.batch_form import BatchForm
from itnio_nb.order_form import OrderForm
from itnio_nb.review_form import ReviewForm
from itnio_nb.workplace import open_workplace


def all_forms() -> Any:
    """Return the batch, the order and the review, in tabs, on one client and one ledger."""
    here = open_workplace()
    forms = {
        "Batch": BatchForm(here.client, here.ledger),
        "One order": OrderForm(here.client, here.ledger),
        "Review": ReviewForm(here.ledger, here.client),
    }
    return widgets.Tab(list(forms.values()), titles=list(forms))
