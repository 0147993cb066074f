"""What the notebook of the page shows: the forms as tabs, or in words why there are none."""

from __future__ import annotations

import ipywidgets as widgets

from itnio_nb.errors import ItnioError
from itnio_nb.forms.batch.form import BatchForm
from itnio_nb.forms.layout import panel, text_area
from itnio_nb.forms.order import OrderForm
from itnio_nb.forms.review.form import ReviewForm
from itnio_nb.workspace import open_workspace


def forms() -> widgets.Widget:
    """Return the three forms on the configured account or, where none is, on a sandbox."""
    try:
        ws = open_workspace()
    except ItnioError as error:
        return panel(text_area("error", f"Error: {error}"), text_area("", "Load this page again once that is mended."))
    makers = {"Batch": BatchForm, "One order": OrderForm, "Review": ReviewForm}
    tabs = widgets.Tab([widgets.VBox() for _ in makers], titles=list(makers)).add_class("itnio-tabs")

    def fill(number: int) -> None:
        """Make the form of a tab when it is opened first: the page is there sooner."""
        tab = tabs.children[number]
        if not tab.children:
            tab.children = (list(makers.values())[number](ws.client, ws.ledger),)

    tabs.observe(lambda change: fill(change["new"]), "selected_index")
    fill(0)
    tabs.selected_index = 0
    return tabs
