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

from itnio_nb import Account, InputError, sign
from itnio_nb.api.models import now
from itnio_nb.runbooks.records import PendingRecord, left_records, public_path, publish, search_record
from itnio_nb.runbooks.secrets import SecretFinder

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


ACCOUNT = Account(KEY, SECRET, "http://127.0.0.1:9/voice")


def scanner_of(secret: str) -> Callable[[str], str]:
    """What finds the secret and the signatures of an account."""
    return SecretFinder(Account(KEY, secret, "http://127.0.0.1:9/voice"), now()).find


def nothing(_: str) -> str:
    """Finds nothing."""
    return ""


def found_in(folder: Path, secret: str, *cells: dict[str, Any]) -> str:
    write(folder, *cells)
    return search_record(folder, scanner_of(secret))


@pytest.mark.parametrize("mask", [0o022, 0o000, 0o077])
def test_a_folder_is_private_until_it_is_published(mask: int, records: Path) -> None:
    """0700 while it is made, 0755 where people find it, whatever the umask; a listing does not show the private one."""
    before = os.umask(mask)
    try:
        private = PendingRecord(records, "runbook", ACCOUNT)
        assert mode(private.path) == 0o700
        write(private.path, cell())
        private.release()
        place, problem = publish(private.path, nothing)
    finally:
        os.umask(before)
    assert problem == ""
    assert place is not None
    assert (f".private-{place.name}", place.parent) == (private.path.name, records)
    assert mode(place) == 0o755
    assert sorted(records.rglob("*")) == [place, place / "runbook.ipynb"]


def test_names_are_taken_once(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After time and notebook; many in the same second have a number behind, those that are published too."""
    moment = now()
    monkeypatch.setattr("itnio_nb.runbooks.records.now", lambda: moment)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: PendingRecord(records, "runbook", ACCOUNT), range(8)))
    stem = f"{moment:%Y%m%dT%H%M%SZ}-runbook"
    assert {public_path(each.path).name for each in made} == {stem, *(f"{stem}-{number}" for number in range(2, 9))}
    assert len(list(records.iterdir())) == 8
    for each in made:
        each.release()
        write(each.path)
        assert publish(each.path, nothing)[0] == public_path(each.path)
    ninth = PendingRecord(records, "runbook", ACCOUNT)
    ninth.release()
    assert ninth.path.name == f".private-{stem}-9"
    with pytest.raises(InputError, match=r"No record can be made in .*: choose another --records"):
        PendingRecord(records / stem / "runbook.ipynb", "runbook", ACCOUNT)  # below a file


def left(records: Path, account: Account = ACCOUNT) -> list[tuple[Path, str]]:
    return [(one.path, one.reason) for one in left_records(records, account)]


def test_what_nobody_works_in_is_left(records: Path) -> None:
    """One at a time, held meanwhile: of two runs that begin together, one takes it. No folder yet, or a file: none."""
    assert left(records) == []
    killed, ours = PendingRecord(records, "left", ACCOUNT), PendingRecord(records, "ours", ACCOUNT)
    killed.release()
    (records / "published").mkdir()
    (records / ".private-file").touch()
    found = [(one.path, left(records)) for one in left_records(records, ACCOUNT)]
    assert found == [(killed.path, [])]
    ours.release()


def test_a_record_is_judged_by_who_made_it(records: Path) -> None:
    """Another secret, another address, a folder of unknown origin, one that cannot be read: it is told, and left."""
    made = PendingRecord(records, "runbook", ACCOUNT)
    made.add_application("second")
    made.release()
    assert [(one.path, one.reason, one.applications) for one in left_records(records, ACCOUNT)] == [
        (made.path, "", ("second",))
    ]
    others = [Account(KEY, "rotated-S3cret", ACCOUNT.base_url), Account(KEY, SECRET, "http://127.0.0.1:8/voice")]
    words = "it was made with another account or secret, which alone can search it"
    for other in others:
        assert left(records, other) == [(made.path, words)]
    state = made.path / "state.json"
    assert SECRET not in state.read_text()
    for content in (b"", b"[]", b'{"maker": 5, "salt": "no"}', b'{"salt": "00"}', b"\xff"):
        state.write_bytes(content)
        [(path, reason)] = left(records)
        assert path == made.path
        assert reason.startswith(("it cannot be read (", words))
    state.unlink()
    assert left(records) == [(made.path, words)]


def test_what_is_older_than_a_month_is_left_to_people(records: Path) -> None:
    """It would take hundreds of thousands of signatures to search it."""
    made = PendingRecord(records, "runbook", ACCOUNT)
    old = write(made.path, cell())
    made.release()
    month = time.time() - 32 * 86400
    os.utime(old, (month, month))
    assert left(records) == [(made.path, "it is older than a month")]


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


def test_signatures_of_a_long_run_or_another_clock_are_found(tmp_path: Path) -> None:
    """Of a run that took a day; of a machine whose clock is two hours behind, and was corrected."""
    for since, seconds, ahead in ((now() - timedelta(hours=20), -20 * 3600, 0), (now(), 7200, 7200)):
        write(tmp_path, cell("2", output(text_plain=signature_at(seconds))))
        found = search_record(tmp_path, SecretFinder(ACCOUNT, since, ahead=ahead).find)
        assert found == "a signature stands in cell 2 of runbook.ipynb"


def pending(records: Path, *cells: dict[str, Any]) -> PendingRecord:
    """A record that a run has made, and not yet published."""
    made = PendingRecord(records, "runbook", ACCOUNT)
    write(made.path, *cells)
    made.release()
    return made


PASSWORD = "x8Kq2mPz"


def published(made: PendingRecord) -> str:
    """Why it was not published, "" if it was; it is private then."""
    finder = SecretFinder(ACCOUNT, now())
    finder.add_passwords([PASSWORD])
    place, problem = publish(made.path, finder.find)
    assert place == (None if problem else public_path(made.path))
    assert mode(place or made.path) == (0o700 if problem else 0o755)
    return problem


def test_a_record_with_a_secret_is_withheld_for_ever(records: Path) -> None:
    """The words say what stands in which cell, never the secret itself; nobody takes it up again."""
    secrets = {"the password of a phone": PASSWORD, "a signature": signature_at(0)}
    secrets[f"the API secret of …{KEY[-4:]}"] = SECRET
    for words, secret in secrets.items():
        made = pending(records, cell("2", output(text_plain=secret)))
        (made.path / "runbook.html").write_text("<p>3 phones</p>")
        withheld = f"The record is withheld: {words} stands in cell 2 of runbook.ipynb. It stays in {made.path}"
        assert published(made) == f"{withheld}, for you alone to read."
        for account in (ACCOUNT, Account(KEY, "rotated-S3cret", ACCOUNT.base_url)):
            assert left(records, account) == []
    clean = pending(records, cell("2"))
    (clean.path / "runbook.html").write_text("<p>3 phones</p>")
    assert published(clean) == ""
    assert not clean.path.exists()
    assert sorted(path.name for path in public_path(clean.path).iterdir()) == ["runbook.html", "runbook.ipynb"]


def test_what_cannot_be_searched_or_moved_stays_private(records: Path) -> None:
    """Cut off while it was written: nobody can say what a reader would make of it. Its name was taken meanwhile."""
    for content in (b"", b'{"cells": [', b"\xff\xfe\x00", b"[]", b"{}", b'{"cells": 5}'):
        made = pending(records)
        (made.path / "runbook.ipynb").write_bytes(content)
        problem = published(made)
        assert problem.startswith("The record cannot be searched (")
        assert problem.endswith(f": {made.path}. Look at it, and delete it.")
    made = pending(records)
    (public_path(made.path) / "theirs").mkdir(parents=True)
    problem = published(made)
    assert problem.startswith(f"The record stays in {made.path}: it cannot be moved to {records} (")
    assert (made.path / "state.json").exists()
