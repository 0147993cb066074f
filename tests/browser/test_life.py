"""What is shown has an age: while the program behind a form lives, and when no word comes from it any more."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Dialog, Page, expect

from itnio_nb import Sandbox
from tests.support.axe import violations
from tests.support.browser import a_page, an_app, run_all_from_the_menu
from tests.support.factories import many_orders, until
from tests.support.person import SLOW, Person, front_end_open
from tests.support.processes import COMMAND, read_line, settings_of, start

NOTICE = ".itnio-notice"
NO_WORD = "No word from the program since "
PROGRESS = "() => +/([\\d,]+) groups? of/.exec(document.body.innerText)[1].replace(',', '')"
GOES_ON = "(before) => +/([\\d,]+) groups? of/.exec(document.body.innerText)?.[1].replace(',', '') > before"
EXECUTE = "(code) => { jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code }); }"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"


@contextmanager
def opened(front_end: str, page: Page, cwd: Path, sandbox: Sandbox) -> Iterator[Person]:
    """The batch form of a front end, open in a page."""
    with front_end_open(front_end, page, cwd, settings_of(sandbox)):
        person = Person(page)
        person.sees("No orders yet")
        yield person
        page.once("dialog", lambda dialog: dialog.accept())  # a run may be at work


def submit(person: Person, groups: int = 400) -> None:
    """Submit a run, and see it at work."""
    person.upload("phones.csv", many_orders(groups).to_csv(index=False).encode())
    person.press("Plan")
    person.press("Go on to confirm")
    person.write("Number of phones", str(person.number_of_phones()))
    person.press("Submit")
    person.page.wait_for_function("() => /created [1-9]/.test(document.body.innerText)")


def processes(word: str) -> list[psutil.Process]:
    """The processes of this test whose command line has a word."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            found += [one] if word in " ".join(one.cmdline()) else []
    return found


@contextmanager
def stopped(group: Sequence[psutil.Process]) -> Iterator[None]:
    """Processes that do nothing for a while."""
    for one in group:
        one.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for one in group:
            one.send_signal(signal.SIGCONT)


def assert_old(person: Person) -> None:
    """The form is dimmed and does nothing; one notice says so, and is no part of what does nothing."""
    page = person.page
    person.sees(NO_WORD)
    (notice,) = (one for one in page.locator(NOTICE).all() if one.is_visible())
    assert notice.get_attribute("role") == "alert"
    assert "Nothing is lost: what was sent, and what came of it, is in the ledger." in notice.inner_text()
    assert not notice.evaluate("one => !!one.closest('[inert]')")
    assert page.locator(".itnio-live").locator("visible=true").evaluate("one => !!one.closest('[inert]')")
    assert violations(page) == []


def assert_new(page: Page) -> None:
    """There is no notice, and what is shown is as new as the run."""
    expect(page.locator(NOTICE).filter(has_text=NO_WORD)).to_have_count(0)
    expect(page.locator(".itnio-silent")).to_have_count(0)
    page.wait_for_function(GOES_ON, arg=page.evaluate(PROGRESS))


@pytest.mark.parametrize("front_end", ["app", "lab"])
def test_a_server_that_does_nothing_for_a_while(front_end: str, tmp_path: Path) -> None:
    """The form says since when no word came; once one comes, it goes on as if nothing had been."""
    with (
        Sandbox(latency=SLOW) as sandbox,
        a_page() as (page, wrong),
        opened(front_end, page, tmp_path, sandbox) as person,
    ):
        submit(person)
        with stopped(processes("cli.server.launch")):
            assert_old(person)
        assert_new(page)
        person.press("Stop")
        person.sees("Stopped. Groups:")
    assert wrong == []


def test_a_network_that_is_cut(tmp_path: Path) -> None:
    """As long as it is, the title says so too; the run has gone on meanwhile."""
    with Sandbox(latency=SLOW) as sandbox, a_page() as (page, _), opened("app", page, tmp_path, sandbox) as person:
        submit(person)
        page.context.set_offline(True)
        assert_old(person)
        expect(page).to_have_title("No word from the program · itnio-nb")
        page.context.set_offline(False)
        assert_new(page)
        page.wait_for_function("() => /^\\d+ % · \\d+ of 400 · itnio-nb$/.test(document.title)")


@pytest.mark.parametrize("front_end", ["app", "lab"])
def test_a_kernel_that_is_killed_during_a_run(front_end: str, tmp_path: Path) -> None:
    """It is said once, in words; as they advise, the page is loaded or the cell run again: the run can go on."""
    with Sandbox(latency=SLOW) as sandbox, a_page() as (page, _), opened(front_end, page, tmp_path, sandbox) as person:
        submit(person)
        for kernel in processes("ipykernel_launcher"):
            kernel.kill()
        if front_end == "lab":
            assert_old(person)
            page.get_by_role("dialog").get_by_role("button", name="Ok").click()  # JupyterLab's own words for it
            run_all_from_the_menu(page)
        else:
            person.sees("The program behind this page has ended.")
            page.wait_for_selector(".itnio-silent")
            assert page.locator(NOTICE).filter(has_text=NO_WORD).count() == 0
            person.press("Load this page again")
        person.sees("This run is not finished")
        expect(person.button("Go on")).to_be_enabled()


def test_a_server_that_is_killed(tmp_path: Path) -> None:
    """The page says so, once: the form says nothing beside it, but it is dimmed."""
    command = [*COMMAND, "app", "--no-browser", "--folder", str(tmp_path)]
    with Sandbox(latency=SLOW) as sandbox, a_page() as (page, _), start(command, settings_of(sandbox)) as process:
        while not (line := read_line(process)).startswith("Open "):
            assert process.poll() is None, process.stderr and process.stderr.read()
        page.goto(line.split()[1])
        person = Person(page)
        person.sees("No orders yet")
        submit(person)
        for one in processes("cli.server.launch"):
            one.kill()
        person.sees("itnio-nb app does not answer")
        page.wait_for_selector(".itnio-silent")
        expect(page.locator(NOTICE).filter(has_text=NO_WORD)).to_have_count(0)
        expect(page).to_have_title("No word from the program · itnio-nb")


def test_a_cell_at_work_is_no_silence(tmp_path: Path) -> None:
    """Its kernel is busy for twelve seconds: beats come meanwhile, and so does the progress of the run."""
    with Sandbox(latency=SLOW) as sandbox, a_page() as (page, wrong), opened("lab", page, tmp_path, sandbox) as person:
        submit(person)
        page.evaluate("""() => {
          window.silences = 0;
          new MutationObserver(() => { window.silences += document.querySelectorAll('.itnio-silent').length; })
            .observe(document.body, { subtree: true, attributeFilter: ['class'] });
        }""")
        page.evaluate(EXECUTE, "import time; time.sleep(12); print('rested')")
        status = "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.status"
        page.wait_for_function(f"() => ({status})() === 'busy'")
        page.wait_for_function(f"() => ({status})() === 'idle'")
        assert page.evaluate("() => window.silences") == 0
        assert_new(page)
    assert wrong == []


def test_jupyterlab_opened_again_finds_the_run(tmp_path: Path) -> None:
    """The notebook as it was saved shows it going on, in the kernel that goes on; leaving asked nothing."""
    with Sandbox(latency=SLOW) as sandbox, a_page() as (page, _), opened("lab", page, tmp_path, sandbox) as person:
        submit(person)
        page.evaluate(SAVE)
        asked: list[str] = []

        def accept(dialog: Dialog) -> None:
            asked.append(dialog.type)
            dialog.accept()

        page.on("dialog", accept)
        page.reload()
        person.sees("groups of 400")
        assert_new(page)
        person.press("Stop")
        person.sees("Stopped. Groups:")
        assert asked == []


def test_a_form_without_its_kernel_is_a_picture(tmp_path: Path) -> None:
    """Opened again with the state that JupyterLab has saved: dimmed, and it says what to do."""
    settings = tmp_path / "jupyter-config" / "lab" / "user-settings" / "@jupyter-widgets" / "jupyterlab-manager"
    settings.mkdir(parents=True)
    (settings / "plugin.jupyterlab-settings").write_text('{"saveState": true}', encoding="utf-8")
    notebook = tmp_path / "itnio-notebooks" / "0.1.0" / "form.ipynb"
    with Sandbox() as sandbox, a_page() as (page, _), opened("lab", page, tmp_path, sandbox) as person:
        page.evaluate(SAVE)
        until(lambda: "widget-state+json" in notebook.read_text(encoding="utf-8"))
        page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        page.reload()
        person.sees("This form is a picture of an earlier session: run its cell again.")
        assert page.locator(".itnio-stepper").evaluate("one => !!one.closest('[inert]')")
        run_all_from_the_menu(page)
        person.sees("No orders yet")
        expect(page.locator(".itnio-silent")).to_have_count(0)


def test_a_second_page_shows_a_run_and_stops_it(tmp_path: Path) -> None:
    """It is at work in the other page: how far, since when, on which terms; Stop there stops it here."""
    with Sandbox(latency=SLOW) as sandbox, a_page() as (page, wrong), opened("app", page, tmp_path, sandbox) as person:
        submit(person)
        assert page.context.browser is not None
        context = page.context.browser.new_context(viewport={"width": 900, "height": 800})
        second = context.new_page()
        second.goto(page.url)
        other = Person(second)
        other.sees("At work in another page or process: ")
        other.sees("Stop stops it for all who work on it.")
        line = second.locator(".itnio-live").locator("visible=true").inner_text()
        assert " ago · " in line
        assert "8 at once" in line
        second.wait_for_function("() => / % · [\\d,]+ of 400 · itnio-nb$/.test(document.title)")
        assert violations(second) == []
        other.press("Stop")
        for one in (person, other):
            one.sees("Stopped. Groups:")
            expect(one.page).to_have_title("Stopped · itnio-nb")
        context.close()
    assert sandbox.served["sipAdd", "0"] < 400
    assert wrong == []


def test_leaving_asks_while_a_run_is_at_work(tmp_path: Path) -> None:
    """Who stays has lost nothing: the run goes on. Before and after it, leaving asks nothing."""
    with Sandbox(latency=SLOW) as sandbox, a_page() as (page, _), opened("app", page, tmp_path, sandbox) as person:
        asked: list[str] = []
        stay = [True]

        def answer(dialog: Dialog) -> None:
            asked.append(dialog.type)
            (dialog.dismiss if stay[0] else dialog.accept)()

        page.on("dialog", answer)
        page.reload()
        person.sees("No orders yet")
        assert asked == []
        submit(person)
        with page.expect_event("dialog"):
            page.evaluate("() => { location.reload(); }")
        assert asked == ["beforeunload"]
        assert_new(page)
        person.press("Stop")
        person.sees("Stopped. Groups:")
        stay[0] = False
        page.reload()
        person.sees("This run is not finished")
        assert asked == ["beforeunload"]


def test_the_icon_tells_the_account(tmp_path: Path) -> None:
    """Another shape for a sandbox than for a live account, not only another colour."""
    with Sandbox() as sandbox, a_page() as (page, wrong), opened("app", page, tmp_path, sandbox):
        expect(page).to_have_title("itnio-nb")
        assert "circle" in str(page.locator("link[rel=icon]").get_attribute("href"))
    settings = {"ITNIO_API_KEY": "live-key", "ITNIO_API_SECRET": "x", "ITNIO_BASE_URL": "http://127.0.0.1:9/voice"}
    settings["XDG_DATA_HOME"] = str(tmp_path / "data")
    with a_page() as (page, wrong), an_app(COMMAND, tmp_path, settings) as address:
        page.goto(address)
        Person(page).sees("No orders yet")
        page.wait_for_function("() => document.querySelector('link[rel=icon]').href.includes('path')")
        page.goto("about:blank")
    assert wrong == []


def test_a_waiting_kernel_that_does_not_answer_is_replaced(tmp_path: Path) -> None:
    """It hangs, or has died a moment ago: the page starts another, and is there."""
    with Sandbox() as sandbox, a_page() as (page, wrong), an_app(COMMAND, tmp_path, settings_of(sandbox)) as address:
        until(lambda: len(processes("ipykernel_launcher")) == 1, 60)
        (kernel,) = processes("ipykernel_launcher")
        kernel.send_signal(signal.SIGSTOP)
        page.goto(address)
        Person(page).sees("No orders yet")
        page.goto("about:blank")
    assert wrong == []


def test_a_kernel_that_cannot_start_is_said(tmp_path: Path) -> None:
    """After the minute that Voilà gives it."""
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {"argv": ["false"], "display_name": "None", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    with Sandbox() as sandbox, a_page() as (page, _):
        settings = {**settings_of(sandbox), "JUPYTER_PATH": str(tmp_path)}
        with an_app(COMMAND, tmp_path, settings) as address:
            page.clock.install()
            page.goto(address, wait_until="commit")
            Person(page).sees("Starting the forms")
            page.clock.fast_forward(80_000)
            Person(page).sees("The forms could not be started.")
            page.goto("about:blank")
