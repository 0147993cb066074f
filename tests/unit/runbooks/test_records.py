"""Records: private while they are made, searched for what must not be in them, published only when it is not."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import escape
from pathlib import Path
from stat import S_IMODE
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from itnio_nb import Account, Client, InputError, Sandbox, sign
from itnio_nb.api.models import now
from itnio_nb.runbooks.records import (
    PendingRecord,
    SecretScanner,
    public_path,
    publish,
    search_record,
    unpublished_records,
)
from tests.support.factories import APP, group

KEY, SECRET = "canaryky", "c4n4ry-S3cret"


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "records"


def mode(path: Path) -> int:
    return S_IMODE(path.stat().st_mode)


def output(**data: Any) -> dict[str, Any]:
    bundle = {name.replace("_", "/"): text for name, text in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": bundle}


def cell(source: str | list[str] = "1", *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": source, "outputs": list(outputs)}


def write(folder: Path, *cells: dict[str, Any], ascii_only: bool = False, **metadata: Any) -> Path:
    """Write a notebook into a folder, after a first cell that is clean."""
    content = {"nbformat": 4, "nbformat_minor": 4, "metadata": metadata, "cells": [cell("first"), *cells]}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "runbook.ipynb"
    path.write_text(json.dumps(content, ensure_ascii=ascii_only, indent=1), encoding="utf-8")
    return path


def scanner_of(secret: str) -> Callable[[bytes], str]:
    """What finds the secret and the signatures of an account; no application, so nobody is asked."""
    with Client(Account(KEY, secret, "http://127.0.0.1:9/voice")) as client:
        return SecretScanner(client, now()).find()


def found_in(folder: Path, secret: str, *cells: dict[str, Any]) -> str:
    write(folder, *cells)
    return search_record(folder, scanner_of(secret))


@pytest.mark.parametrize("mask", [0o022, 0o000, 0o077])
def test_a_folder_is_private_until_it_is_published(mask: int, records: Path, client: Client) -> None:
    """0700 while it is made, 0755 where people find it, whatever the umask; a listing does not show the private one."""
    before = os.umask(mask)
    try:
        private = PendingRecord(records, "runbook")
        assert mode(private.path) == 0o700
        write(private.path, cell())
        private.release()
        place, problem = publish(private.path, SecretScanner(client, now()))
    finally:
        os.umask(before)
    assert problem == ""
    assert place is not None
    assert (f".private-{place.name}", place.parent) == (private.path.name, records)
    assert mode(place) == 0o755
    assert sorted(records.rglob("*")) == [place, place / "runbook.ipynb"]


def test_names_are_taken_once(records: Path, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """After time and notebook; many in the same second have a number behind, those that are published too."""
    moment = now()
    monkeypatch.setattr("itnio_nb.runbooks.records.now", lambda: moment)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: PendingRecord(records, "runbook"), range(8)))
    stem = f"{moment:%Y%m%dT%H%M%SZ}-runbook"
    assert {public_path(each.path).name for each in made} == {stem, *(f"{stem}-{number}" for number in range(2, 9))}
    assert len(list(records.iterdir())) == 8
    for each in made:
        each.release()
        write(each.path)
        assert publish(each.path, SecretScanner(client, moment))[0] == public_path(each.path)
    ninth = PendingRecord(records, "runbook")
    ninth.release()
    assert ninth.path.name == f".private-{stem}-9"
    with pytest.raises(InputError, match=r"No record can be made in .*: choose another --records"):
        PendingRecord(records / stem / "runbook.ipynb", "runbook")  # below a file


def test_what_nobody_works_in_is_unpublished(records: Path) -> None:
    """One at a time, held meanwhile: of two runs that begin together, one takes it. No folder yet, or a file: none."""
    assert list(unpublished_records(records)) == []
    left, ours = PendingRecord(records, "left"), PendingRecord(records, "ours")
    left.release()
    (records / "published").mkdir()
    (records / ".private-file").touch()
    found = [(path, list(unpublished_records(records))) for path in unpublished_records(records)]
    assert found == [(left.path, [])]
    assert list(left.path.iterdir()) == []
    ours.release()


SECRETS = [SECRET, 'qu"ote', "it's", "back\\slash", "ümlaut€", "a b+c/d?e=f&g", "100%", 'all "\\é& <of> it']
FORMS: list[Callable[[str], str]] = [
    str,
    lambda text: quote(text),
    lambda text: quote(text, safe=""),
    lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text)),
    quote_plus,
    escape,
    repr,
    ascii,
    lambda text: json.dumps({"secret": text}),
    lambda text: json.dumps({"secret": text}, ensure_ascii=False),
]


@pytest.mark.parametrize("secret", SECRETS)
def test_the_secret_is_found_in_every_form(secret: str, tmp_path: Path) -> None:
    """As addresses, forms, HTML, Python and JSON write it: in a cell, which is named, and in a file beside it."""
    found = scanner_of(secret)
    write(tmp_path / "file")
    for text in (form(secret) for form in FORMS):
        for ascii_only in (False, True):
            shown = output(text_plain=[f"it is {text}, they say"])
            write(tmp_path / "cell", cell("2"), cell("3", shown), ascii_only=ascii_only)
            words = "the API secret of …ryky stands in cell 3 of runbook.ipynb"
            assert search_record(tmp_path / "cell", found) == words, text
        (tmp_path / "file" / "page.html").write_text(f"<b>{text}</b>", encoding="utf-8")
        assert search_record(tmp_path / "file", found) == "the API secret of …ryky stands in page.html", text


def test_the_secret_is_found_where_its_line_was_cut(tmp_path: Path) -> None:
    """A notebook keeps texts as lists of lines: in a source, an output, a stream, a traceback."""
    cut = ["before ", SECRET[:4], SECRET[4:], " after"]
    stream = {"output_type": "stream", "name": "stdout", "text": cut}
    error = {"output_type": "error", "ename": "E", "evalue": "", "traceback": cut}
    outputs = (output(text_plain=cut), output(text_html=cut), stream, error)
    for made in (cell(cut), *(cell("2", each) for each in outputs)):
        assert found_in(tmp_path, SECRET, made).endswith("stands in cell 2 of runbook.ipynb")


def test_the_secret_is_found_outside_of_cells(tmp_path: Path) -> None:
    """In the metadata of the parameters, in a nested folder, in bytes that are no text; not what only resembles it."""
    write(tmp_path, papermill={"parameters": {"x": SECRET}})
    assert search_record(tmp_path, scanner_of(SECRET)).endswith("stands in runbook.ipynb")
    assert found_in(tmp_path, SECRET, cell([SECRET[:-1], "\n", SECRET.upper(), KEY])) == ""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "log.bin").write_bytes(b"\xff\x00" + SECRET.encode() + b"\xfe")
    assert search_record(tmp_path, scanner_of(SECRET)).endswith("stands in log.bin")


def signature_at(seconds: int) -> str:
    return sign(KEY, SECRET, int(time.time()) + seconds)


def test_a_signature_of_this_hour_is_found(tmp_path: Path) -> None:
    """In either case, in any text around it.

    Another account's, one that has expired long since, part of a longer number are none: records are full of such.
    """
    for signature in map(signature_at, (-3500, -1800, 0, 3500)):
        for text in (f"Sign: {signature}", f'{{"Sign":"{signature.upper()}"}}'):
            found = found_in(tmp_path, SECRET, cell("2", output(text_plain=text)))
            assert found == "a signature stands in cell 2 of runbook.ipynb"
    others = [sign(KEY, "another1", int(time.time())), signature_at(-86400), f"{signature_at(0)}{'0' * 32}", "0" * 32]
    assert found_in(tmp_path, SECRET, cell("2", output(text_plain="\n".join(others)))) == ""


def test_signatures_of_a_long_run_or_another_clock_are_found(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    """Of a run that took a day; of a machine whose clock is two hours behind, and was corrected."""
    account = client.account
    sandbox.clock_offset = 7200
    client.list_phones(APP)
    for since, seconds in ((now() - timedelta(hours=20), -20 * 3600), (now(), 7200)):
        signature = sign(account.api_key, account.api_secret, int(time.time()) + seconds)
        write(tmp_path, cell("2", output(text_plain=signature)))
        found = search_record(tmp_path, SecretScanner(client, since).find())
        assert found == "a signature stands in cell 2 of runbook.ipynb"


@pytest.fixture
def password(client: Client, sandbox: Sandbox) -> str:
    """The password of one of three phones."""
    client.create_phones(group())
    return str(sandbox.phones["password"].iloc[1])


def search(folder: Path, client: Client, *applications: str) -> str:
    return search_record(folder, SecretScanner(client, now(), set(applications)).find())


def test_the_password_of_a_phone_is_found(sandbox: Sandbox, password: str, client: Client, tmp_path: Path) -> None:
    """As a word, whatever stands around it: tracebacks are coloured, pages have tags. A picture's base64 is no word.

    An application that the account has not has no passwords, and hides none of the others'.
    """
    words = ("{}", "the word {}.", '"{}"', "<td>{}</td>", "x={}&y", "{}\nnext", "line\n{}", "\x1b[31m{}\x1b[0m")
    for text in words:
        write(tmp_path, cell("2", output(text_plain=text.format(password))))
        assert search(tmp_path, client, APP) == "the password of a phone stands in cell 2 of runbook.ipynb", text
    for text in ("x{}", "{}x", "0{}", "{}9", "A{}Z"):
        write(tmp_path, cell("2", output(text_plain=text.format(password))))
        assert search(tmp_path, client, APP) == "", text
    (tmp_path / "runbook.html").write_text(f"<td>{password}</td>", encoding="utf-8")
    sandbox.app_ids = [APP]
    assert search(tmp_path, client, "", "wrong", APP) == "the password of a phone stands in runbook.html"
    assert search(tmp_path, client, "", "wrong") == ""


def pending(records: Path, *cells: dict[str, Any]) -> PendingRecord:
    """A record that a run has made, and not yet published."""
    made = PendingRecord(records, "runbook")
    write(made.path, *cells)
    made.release()
    return made


def published(made: PendingRecord, client: Client) -> str:
    """Why it was not published, "" if it was; it is private then."""
    place, problem = publish(made.path, SecretScanner(client, now(), {APP}))
    assert place == (None if problem else public_path(made.path))
    assert mode(place or made.path) == (0o700 if problem else 0o755)
    return problem


def test_a_record_with_a_secret_is_withheld(password: str, client: Client, records: Path) -> None:
    """The words say what stands in which cell, never the secret itself; mended, all its files are published."""
    account = client.account
    signature = sign(account.api_key, account.api_secret, int(time.time()))
    secrets = {"the password of a phone": password, "a signature": signature}
    secrets[f"the API secret of …{account.api_key[-4:]}"] = account.api_secret.reveal()
    for words, secret in secrets.items():
        made = pending(records, cell("2", output(text_plain=secret)))
        (made.path / "runbook.html").write_text("<p>3 phones</p>")
        withheld = f"The record is withheld: {words} stands in cell 2 of runbook.ipynb. It stays in {made.path}"
        assert published(made, client) == f"{withheld}, for you alone to read."
        assert list(unpublished_records(records)) == [made.path]
        write(made.path, cell("2"))
        assert published(made, client) == ""
        assert not made.path.exists()
        assert sorted(path.name for path in public_path(made.path).iterdir()) == ["runbook.html", "runbook.ipynb"]


def test_an_account_that_cannot_be_asked_leaves_it_private(sandbox: Sandbox, client: Client, records: Path) -> None:
    """The next run searches it, when the account answers again."""
    made = pending(records)
    sandbox.broken = True
    problem = published(made, client)
    assert problem.startswith("The record was not searched yet (The phones of application 4luaKsL2 could not be listed")
    assert problem.endswith(f"it stays in {made.path}, and the next run searches it.")
    sandbox.broken = False
    assert published(made, client) == ""


def test_what_cannot_be_searched_or_moved_stays_private(client: Client, records: Path) -> None:
    """Cut off while it was written: nobody can say what a reader would make of it. Its name was taken meanwhile."""
    for content in (b"", b'{"cells": [', b"\xff\xfe\x00", b"[]", b"{}", b'{"cells": 5}'):
        made = pending(records)
        (made.path / "runbook.ipynb").write_bytes(content)
        problem = published(made, client)
        assert problem.startswith("The record cannot be searched (")
        assert problem.endswith(f": {made.path}.")
    made = pending(records)
    (public_path(made.path) / "theirs").mkdir(parents=True)
    problem = published(made, client)
    assert problem.startswith(f"The record stays in {made.path}: it cannot be moved to {records} (")
