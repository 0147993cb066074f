"""What all forms share: a click acts once, errors are words, text stays text, a closed form is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any

import ipywidgets as widgets
import pandas as pd
import pytest

from itnio_nb import InputError
from itnio_nb.api.text import printable
from itnio_nb.forms.base import BrowserBridge, Form
from itnio_nb.forms.layout import as_html, field, require_grid, show, steps, table_html, text_area
from tests.support.factories import until

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</pre><script>alert(1)</script>",
    "</div></span></table><svg onload=alert(1)>",
    "'\"><b onclick='alert(1)'>x</b>",
    "$\\href{javascript:alert(1)}{y}$",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!--",
    "=1+1",
    "\u202egnp.exe",
    "a\x00b\x1b[31mc",
)
# One of each sort for the quick tests; the others where a run is made with each.
SOME_HOSTILE: list[Any] = [
    *HOSTILE[:2],
    *(pytest.param(text, marks=pytest.mark.slow) for text in HOSTILE[2:] if text.isprintable()),
]
OURS = {"div", "span", "p", "b", "br", "h3", "pre", "img", "details", "summary"}
OURS |= {"table", "thead", "tbody", "tr", "th", "td"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", {}))


def assert_harmless(html: str) -> None:
    """Only our own tags, with our own attributes, and nothing that cannot be seen."""
    parser = _Tags()
    parser.feed(html)
    parser.close()
    for tag, attributes in parser.found:
        assert tag in OURS, html
        assert set(attributes) <= {"class", "scope", "style", "alt", "src"}, html
        assert (attributes.get("src") or "data:image/png;base64,").startswith("data:image/png;base64,"), html
        assert tag != "img" or "src" in attributes, html
    assert "\u202e" not in html
    assert not {char for char in html if ord(char) < 32} - {"\n"}


def below(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """Yield a widget and all that is shown below it, whatever tab or step is open."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from below(child)


def assert_harmless_below(form: widgets.Widget) -> None:
    """No HTML widget of a form has markup of others, and no button or title bears what cannot be seen."""
    for widget in below(form):
        if isinstance(widget, widgets.HTML):
            assert_harmless(widget.value)
        if isinstance(widget, widgets.HTMLMath | widgets.Output):
            pytest.fail("a widget that shows markup, or what others have made of it")


def text_of(place: widgets.HTML) -> str:
    """The text that a person reads in a place."""
    parts: list[str] = []
    parser = HTMLParser()
    parser.handle_data = parts.append  # type: ignore[method-assign, assignment]
    parser.feed(place.value.replace("<br>", "\n"))
    parser.close()
    return "".join(parts)


def files_of(form: Form, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What the page is asked to save from now on, by name, put together as the page does."""
    files: dict[str, bytes] = {}

    def send(content: dict[str, Any], buffers: list[bytes]) -> None:
        before = files[content["name"]] if content["part"] else b""
        files[content["name"]] = before + buffers[0]

    monkeypatch.setattr(form.page, "send", send)
    return files


class Small(Form):
    """A form with two buttons, one of which waits until it is told."""

    def __init__(self) -> None:
        super().__init__("Small")
        self.go_on = threading.Event()
        self.done: list[str] = []
        self.error: BaseException | None = None
        self.looks = 0
        self.pause: float | None = None
        self.working = False
        self.first = self.button("First", self._first, "What it does", main=True)
        self.second = self.button("Second", lambda: self.done.append("second"))
        self.children = (self.page, self.first, self.second, self.said)

    def _first(self) -> None:
        assert self.go_on.wait(5)
        self.done.append("first")
        if self.error is not None:
            raise self.error

    def _lines(self) -> list[str]:
        return [f"Small: {len(self.done)} done."]

    def _refresh(self) -> None:
        self.first.disabled = self.second.disabled = False

    def _look(self) -> float | None:
        self.looks += 1
        return self.pause

    def _at_work(self) -> bool:
        return self.working


@pytest.fixture
def made() -> Iterator[Callable[[], Small]]:
    forms: list[Small] = []

    def make() -> Small:
        forms.append(Small())
        return forms[-1]

    yield make
    for form in forms:
        form.go_on.set()
        form.close()


@pytest.fixture
def small(made: Callable[[], Small]) -> Small:
    return made()


def test_a_double_click_acts_once(small: Small) -> None:
    """Neither the same button nor another does anything while one is at work."""
    small.first.click()
    assert small.first.disabled
    assert small.second.disabled
    assert "Working …" in text_of(small.said)
    for button in (small.first, small.second):
        button.disabled = False  # as a page that does not know yet
        button.click()
    small.go_on.set()
    small.wait(5)
    assert small.done == ["first"]
    assert not small.first.disabled
    assert small.said.value == ""
    small.second.click()
    small.wait(5)
    assert small.done == ["first", "second"]


def test_a_dead_button_does_nothing(small: Small) -> None:
    """Even if a page lets it be clicked."""
    small.second.disabled = True
    small.second.click()
    small.wait(5)
    assert small.done == []


def test_a_button_says_what_it_does(small: Small) -> None:
    """Its words, its tip, and whether it is the main one."""
    assert (small.first.description, small.first.tooltip, small.first.button_style) == (
        "First",
        "What it does",
        "primary",
    )
    assert (small.second.tooltip, small.second.button_style) == ("Second", "")


def test_an_error_with_advice_is_shown_as_words(small: Small) -> None:
    """It is no traceback, `wait` raises nothing, and the form goes on."""
    small.error = InputError("Choose <b>another</b> path.")
    small.go_on.set()
    small.first.click()
    small.wait(5)
    assert text_of(small.said) == "Error: Choose <b>another</b> path."
    assert_harmless(small.said.value)
    assert "class='error'" in small.said.value
    assert repr(small) == "Small: 1 done.\nError: Choose <b>another</b> path."
    small.error = None
    small.first.click()
    small.wait(5)
    assert repr(small) == "Small: 2 done."


@pytest.mark.parametrize("error", [ZeroDivisionError("by <i>zero</i>"), SystemExit(1), KeyboardInterrupt()])
def test_what_should_not_happen_is_shown_and_raised(small: Small, error: BaseException) -> None:
    """Once, by `wait`; the buttons live on."""
    small.error = error
    small.go_on.set()
    small.first.click()
    with pytest.raises(type(error)):
        small.wait(5)
    assert f"This should not have happened: {type(error).__name__}" in text_of(small.said)
    assert "What was sent is in the ledger. Please report it." in text_of(small.said)
    assert_harmless(small.said.value)
    assert small.wait(5) is small
    assert not small.first.disabled


def test_an_action_may_say_something_itself(small: Small) -> None:
    """What it says stays; only "Working …" is taken away."""
    small.button("Third", lambda: small.say("It is done.", "good")).click()
    small.wait(5)
    assert text_of(small.said) == "It is done."
    assert repr(small).endswith("It is done.")
    small.say("Look again.", "warning")
    assert text_of(small.said) == "Warning: Look again."
    small.say("")
    assert (small.said.value, repr(small)) == ("", "Small: 0 done.")


def test_waiting_ends_in_time(small: Small) -> None:
    """An action or a run that goes on is told by a `TimeoutError`; it goes on."""
    small.first.click()
    with pytest.raises(TimeoutError, match=r"still at work after 0\.02 s"):
        small.wait(0.02)
    small.go_on.set()
    small.wait(5)
    small.working = True
    with pytest.raises(TimeoutError, match="run is not over"):
        small.wait(0.02)
    threading.Timer(0.05, lambda: setattr(small, "working", False)).start()
    assert small.wait(5) is small


def test_the_text_form_is_there_wherever_widgets_are_not(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the widgets, and alone with ITNIO_WIDGETS=off."""
    shown = small._repr_mimebundle_()
    assert shown["text/plain"] == "Small: 0 done."
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] == small.model_id
    monkeypatch.setenv("ITNIO_WIDGETS", "off")
    assert small._repr_mimebundle_() == {"text/plain": "Small: 0 done."}
    assert small._repr_mimebundle_(include=None, exclude=None) == {"text/plain": "Small: 0 done."}


def test_a_closed_form_ends_its_thread(small: Small) -> None:
    """Clicks do nothing more, and nobody waits for ever."""
    names = {thread for thread in threading.enumerate() if thread.name == "form"}
    small.second.click()
    small.wait(5)
    (thread,) = {thread for thread in threading.enumerate() if thread.name == "form"} - names
    small.close()
    thread.join(5)
    assert not thread.is_alive()
    small.second.click()
    assert small.wait(1) is small
    assert small.done == ["second"]
    assert small.comm is None


def test_forms_that_were_replaced_fall_asleep(made: Callable[[], Small]) -> None:
    """The newest four look by themselves; an older one when it is used, or its run is at work."""
    forms = [made() for _ in range(5)]
    for form in forms:
        form.pause = 0.01
        form.ask(lambda: None)
        form.wait(5)
    until(lambda: all(form.looks > 5 for form in forms[1:]))
    assert forms[0].looks == 1
    forms[0].working = True
    forms[0].ask(lambda: None)
    until(lambda: forms[0].looks > 5)


@pytest.mark.parametrize(("size", "parts"), [(0, 1), (1, 1), (500_000, 1), (500_001, 2), (1_000_000, 2)])
def test_a_file_goes_to_the_page_in_parts(size: int, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each below what Jupyter lets through at once; an empty file is one empty part."""
    page, sent = BrowserBridge(), []

    def send(content: dict[str, Any], buffers: list[bytes]) -> None:
        sent.append((content, buffers))

    monkeypatch.setattr(page, "send", send)
    data = bytes(at % 251 for at in range(size))
    page.hand_over("file.bin", data)
    assert [content for content, _ in sent] == [{"name": "file.bin", "part": at, "parts": parts} for at in range(parts)]
    assert b"".join(buffer for _, buffers in sent for buffer in buffers) == data
    assert max(len(buffers[0]) for _, buffers in sent) <= 500_000
    page.close()


@pytest.mark.slow
def test_a_large_file_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never more than a megabyte in a second."""
    page, times = BrowserBridge(), []
    monkeypatch.setattr("itnio_nb.forms.base._PART", 4)
    monkeypatch.setattr(page, "send", lambda content, buffers: times.append(time.monotonic()))
    page.hand_over("file.bin", b"0123456789")
    assert len(times) == 3
    assert times[2] - times[1] >= 1
    page.close()


def test_what_is_handed_over_is_in_no_saved_state() -> None:
    """A file with passwords is in a message only."""
    page = BrowserBridge()
    page.hand_over("phones.xlsx", b"a-password")
    assert "a-password" not in str(page.get_state())
    page.close()


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_others_is_shown_as_text(text: str, small: Small) -> None:
    """In every way in which a form shows text; what cannot be seen is shown as what it is."""
    place = text_area("itnio-note", text)
    assert_harmless(place.value)
    assert text_of(place) == printable(text)
    show(place, text + "!", "error")
    assert text_of(place) == printable(text) + "!"
    small.say(text, "error")
    table = table_html(pd.DataFrame({text: [text]}))
    for html in (place.value, small.said.value, table, as_html(text)):
        assert_harmless(html)
    assert table.count(as_html(text)) == 2
    assert unescape(as_html(text)) == printable(text)


def test_what_cannot_be_seen_is_shown_as_what_it_is() -> None:
    """Control characters and what turns the writing round; line breaks stay, words of any script too."""
    assert printable("a\u202eb\x1bc\u200bd\ne") == "a\\u202eb\\x1bc\\u200bd\ne"
    assert printable("Müller 电话 ☎") == "Müller 电话 ☎"
    assert as_html("a\nb") == "a<br>b"


def test_a_long_table_says_how_long_it_is() -> None:
    """Its first rows, and a line for the rest."""
    frame = pd.DataFrame({"n": range(61)})
    assert table_html(frame, 60).endswith("<p class='faint'>The first 60 of 61.</p>")
    assert table_html(frame, 60).count("<tr>") == 61
    assert "faint" not in table_html(frame, 61)


def test_the_same_text_is_not_sent_again() -> None:
    """A look that changes nothing costs no message."""
    place, changes = text_area(), []
    place.observe(lambda _: changes.append(1), "value")
    for text in ("one", "one", "two"):
        show(place, text, "good")
    assert len(changes) == 2
    show(place, "", "good")
    assert place.value == ""


def test_a_field_has_its_label() -> None:
    """Beside it and as its tip, for those who cannot see it."""
    made = field("API key")
    assert (made.description, made.tooltip) == ("API key", "API key")
    assert field("Phones", "How many", kind=widgets.IntText).tooltip == "How many"


def test_each_step_knows_its_number() -> None:
    """A click on it goes there."""
    gone: list[int] = []
    made = steps(["1 Orders", "2 Plan", "3 Confirm"], gone.append)
    for at in (2, 0, 1):
        made[at].click()
    assert gone == [2, 0, 1]
    assert [button.tooltip for button in made] == ["Go to 1 Orders", "Go to 2 Plan", "Go to 3 Confirm"]


def test_without_the_grid_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is shown."""
    require_grid()
    monkeypatch.setattr("itnio_nb.forms.layout.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "itnio-nb\[lab\]"'):
        require_grid()
