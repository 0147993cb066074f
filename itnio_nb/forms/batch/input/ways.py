"""The ways by which orders come in, as widgets: an inviting area while there are none, one line once there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import ipywidgets as widgets

from itnio_nb.forms.base import Action, Form
from itnio_nb.forms.layout import field, panel, row, show, text_area

_KINDS = ".xlsx,.xlsm,.xls,.xlsb,.csv,.tsv,.txt,.json"


class WayActions(NamedTuple):
    """What the buttons do."""

    read_path: Callable[[str], None]
    read_text: Callable[[str], None]
    change_columns: Action
    download_template: Action
    begin_by_hand: Action


class Ways:
    """Drop area, file chooser, sheet, and behind a button the other ways: a path, pasted rows, one row by hand."""

    def __init__(self, form: Form, actions: WayActions) -> None:
        self._is_empty, self._is_choice = True, False
        self._sheet: tuple[widgets.Widget, ...] = ()
        self.invitation = text_area("itnio-invitation", "Drop a spreadsheet here, or choose a file")
        self.upload = widgets.FileUpload(accept=_KINDS, multiple=False, icon="").add_class("itnio-upload")
        self.upload.tooltip = "XLSX, XLS, CSV or a saved plan; dropped or chosen, of up to 100 MB"
        hint = "XLSX, XLS or CSV. Rows copied from a spreadsheet can be pasted: click here first, then Ctrl-V."
        self.hint, self.source, self.note = text_area(), text_area("itnio-source"), text_area("itnio-columns-note")
        show(self.hint, hint, "faint")
        sheet = {"kind": widgets.Dropdown, "options": ()}
        self.sheet = field("Sheet", "Another sheet of the workbook", "260px", **sheet)
        self.columns = form.button("Change the columns", actions.change_columns, is_ready=lambda: self.has_columns)
        self.has_columns = False  # whether a file is shown whose columns can be changed
        tip = "An empty XLSX with the headers and an example, whose cells are checked as one types"
        self.template = form.button("Download a template", actions.download_template, tip)
        self.others = self._other_ways(form, actions)
        self.more = widgets.Button(description="Other ways: path, paste, one row by hand", tooltip="Show other ways")
        self.more.add_class("itnio-more").on_click(lambda _: self.open_more(open_it=not self._is_more))
        self.quiet = row()
        for button in (self.columns, self.template, self.more):
            button.add_class("itnio-quiet")
        self.line = row()
        self.body = panel(self.line.add_class("itnio-drop"), self.note, self.quiet, self.others)
        self.open_more(open_it=False)
        self.show_state(is_empty=True)

    def _other_ways(self, form: Form, actions: WayActions) -> widgets.VBox:
        self.path = field("Path of a file", "A file where the notebook runs", "420px", continuous_update=False)
        self.read = form.button("Read", lambda: actions.read_path(self.path.value), "Read the file of this path")
        paste: dict[str, Any] = {"kind": widgets.Textarea, "rows": 3}
        paste["placeholder"] = "Copied from a spreadsheet, best with its headers"
        self.paste = field("Pasted rows", "Rows copied from a spreadsheet, best with their headers", "560px", **paste)
        self.read_pasted = form.button("Read what is pasted", lambda: actions.read_text(self.paste.value))
        self.app_id = field("Application for all rows", "Only where the table has no such column", "300px")
        tip = "Begin with an empty row, to be typed into"
        by_hand = form.button("Write one row by hand", actions.begin_by_hand, tip, is_ready=lambda: self._is_empty)
        file, pasted = row(self.path, self.read), row(self.paste, self.read_pasted)
        return panel(file, pasted, row(self.app_id, by_hand), style="itnio-others")

    @property
    def given(self) -> dict[str, str]:
        """The values that were given for all rows, by column."""
        app_id = self.app_id.value.strip()
        return {"appId": app_id} if app_id else {}

    def open_more(self, *, open_it: bool) -> None:
        """Show the other ways, or hide them."""
        self._is_more = open_it
        self.others.layout.display = None if open_it else "none"
        (self.more.add_class if open_it else self.more.remove_class)("itnio-open")

    def show_state(self, *, is_empty: bool) -> None:
        """Invite while there are no orders; once there are, take one line."""
        self._is_empty = is_empty
        self._show()

    def show_choice(self, *, is_open: bool) -> None:
        """Make room for the columns of a file that are to be chosen, or invite again."""
        self._is_choice = is_open
        self._show()

    def _show(self) -> None:
        is_empty = self._is_empty and not self._is_choice
        (self.line.add_class if is_empty else self.line.remove_class)("itnio-empty")
        if is_empty:
            self.line.children = (self.invitation, self.upload, self.hint)
            self.quiet.children = (self.template, self.more)
        else:
            self.quiet.children = ()
            self.line.children = (self.source, self.upload, *self._sheet, self.columns, self.more)
        self.upload.description = "Upload a file" if is_empty else "Another file"
        self.upload.button_style = "primary" if is_empty else ""
        self.more.description = "Other ways: path, paste, one row by hand" if is_empty else "Other ways"

    def place_sheet(self, *, in_line: bool) -> None:
        """Have the sheet stand beside the file, or leave it to where its columns are chosen."""
        self._sheet = (self.sheet,) if in_line else ()
        self._show()

    def show_columns(self, note: str, *, has_columns: bool) -> None:
        """Say by which columns the file was read, where they are others than its headers say."""
        self.has_columns = has_columns
        self.columns.layout.display = None if has_columns else "none"
        show(self.note, note)
        self.note.layout.display = None if note else "none"
