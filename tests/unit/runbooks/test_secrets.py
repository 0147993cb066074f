"""Secrets in texts: the ways in which a notebook comes to show one are found, and masked where it stands as it is."""

from __future__ import annotations

import ast
import base64
import json
import pprint
import shlex
import time
import zlib
from collections.abc import Callable
from datetime import timedelta
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

import pandas as pd
import pytest

from itnio_nb import Account, sign
from itnio_nb.api.models import now
from itnio_nb.runbooks.secrets import MASK, SecretFinder, views

KEY, SECRET, PASSWORD = "canaryky", "c4n4ry-S3cret", "x8Kq2mPz"
ACCOUNT = Account(KEY, SECRET, "http://127.0.0.1:9/voice")
SIGNATURE = sign(KEY, SECRET, int(time.time()))
WORDS = {SECRET: "the API secret of …ryky", SIGNATURE: "a signature", PASSWORD: "the password of a phone"}


def finder() -> SecretFinder:
    made = SecretFinder(ACCOUNT, now())
    made.add_passwords([PASSWORD, "another1"])
    return made


def each(text: str, form: str) -> str:
    return "".join(form.format(ord(char)) for char in text)


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def frame(text: str) -> pd.DataFrame:
    return pd.DataFrame({"name": ["a", "b"], "value": ["x", text]})


def halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def png(text: str) -> str:
    """The base64 of a picture with a text chunk, as matplotlib writes metadata."""
    chunk = b"tEXtComment\0" + text.encode()
    return coded(b"\x89PNG\r\n\x1a\n" + bytes(30) + len(chunk).to_bytes(4, "big") + chunk + bytes(40))


WAYS: dict[str, Callable[[str], str]] = {
    "alone": str,
    "in a sentence": "it is {}, they say".format,
    "between lines": "before\n{}\nafter".format,
    "in quotes": '"{}"'.format,
    "in brackets": "({}) [{0}]".replace("{0}", "").format,
    "repr": repr,
    "repr of bytes": lambda text: repr(text.encode()),
    "repr of a repr": lambda text: repr(repr(text)),
    "an f-string": "secret={!r}".format,
    "json": lambda text: json.dumps({"secret": text}),
    "json in json": lambda text: json.dumps(json.dumps({"secret": text})),
    "json in json in html": lambda text: escape(json.dumps(json.dumps({"secret": text}))),
    "json of other slashes": lambda text: json.dumps({"secret": text}).replace("/", "\\/"),
    "html": lambda text: escape(f"<b>{text}</b>"),
    "html twice": lambda text: escape(escape(f"<{text}>")),
    "html of decimal numbers": lambda text: each(text, "&#{};"),
    "html of hexadecimal numbers": lambda text: each(text, "&#x{:x};"),
    "html of some numbers": lambda text: text[:3] + each(text[3], "&#{};") + text[4:],
    "an address": lambda text: f"https://host/?secret={quote(text)}&x=1",
    "an address, nothing left as it is": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "an address in small letters": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "an address in an address": lambda text: quote(quote(f"&{text}", safe=""), safe=""),
    "an address in html": lambda text: escape(f"?a=1&secret={quote(text, safe='')}&b"),
    "a form": lambda text: f"a=b+c&secret={quote_plus(text)}&d=e",
    "user and password of an address": "https://user:{}@host/path".format,
    r"\x": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    r"\u": lambda text: each(text, "\\u{:04x}"),
    r"\U": lambda text: each(text, "\\U{:08x}"),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    r"\\x": lambda text: "".join(f"\\\\x{byte:02x}" for byte in text.encode()),
    "after an escaped line break": "before\\n{}\\nafter".format,
    "after an escaped tabulator": "before\\t{}\\tafter".format,
    "shell": lambda text: f"curl -H {shlex.quote(f'secret: {text}')}",
    "shell, broken quotes": lambda text: "'" + "'\"'\"'".join(halves(text)) + "'",
    "sql": "SELECT * FROM t WHERE s = '{}';".format,
    "an ini file": "[itnio]\nsecret = {}\n".format,
    "an environment": "ITNIO_API_SECRET={}".format,
    "yaml": "secret: {}\n".format,
    "xml": lambda text: f'<account secret="{escape(text)}"/>',
    "cdata": "<![CDATA[{}]]>".format,
    "a script": "<script>var secret = '{}';</script>".format,
    "a header": "Sign: {}\r\nTimestamp: 1".format,
    "a log": "2026-11-25 02:00:00 DEBUG {} sent".format,
    "a link of markdown": "[text](https://host/{})".format,
    "code of markdown": "`{}`".format,
    "a table of markdown": "| a | b |\n|---|---|\n| 1 | {} |".format,
    "a picture's other text": '<img alt="{}" src="x.png">'.format,
    "a comment": "<!-- {} -->".format,
    "a title": '<td title="{}">x</td>'.format,
    "a cell of html": "<td>{}</td><td>next</td>".format,
    "marked in the middle": lambda text: "<b>{}</b><i>{}</i>".format(*halves(text)),
    "marked letter by letter": lambda text: "".join(f"<span>{char}</span>" for char in text),
    "marked by a link": lambda text: '{}<a href="#">{}</a>'.format(*halves(text)),
    "coloured": "\x1b[31m{}\x1b[0m".format,
    "coloured in the middle": lambda text: "{}\x1b[1;32m{}".format(*halves(text)),
    "coloured letter by letter": lambda text: "".join(f"\x1b[38;5;9m{char}" for char in text),
    "coloured in json": lambda text: json.dumps(f"\x1b[31m{text}\x1b[0m"),
    "a broken line": lambda text: "{}\n{}".format(*halves(text)),
    "a broken line of windows": lambda text: "{}\r\n{}".format(*halves(text)),
    "a broken, indented line": lambda text: "   {}\n        {}".format(*halves(text)),
    "a traceback": 'Traceback:\n  File "x.py", line 3\n    sign({!r})\nValueError: {}'.replace("{!r}", "").format,
    "an assertion": "AssertionError: assert '{}' == ''".format,
    "a table": lambda text: frame(text).to_string(),
    "a table in html": lambda text: str(frame(text).to_html()),
    "a table in json": lambda text: str(frame(text).to_json()),
    "csv": lambda text: frame(text).to_csv(),
    "csv, all in quotes": lambda text: frame(text).to_csv(quoting=1),
    "tsv": lambda text: frame(text).to_csv(sep="\t"),
    "a dictionary in a table": lambda text: frame(repr({"secret": text})).to_string(),
    "a series": lambda text: repr(pd.Series([text])),
    "an index": lambda text: repr(pd.Index([text])),
    "pprint": lambda text: pprint.pformat({"a": {"b": [text] * 3}}, width=20),
    "ast": lambda text: ast.dump(ast.parse(repr(text))),
    "a tuple": lambda text: repr((1, text, None)),
    "base64": lambda text: coded(text.encode()),
    "base64 in a sentence": lambda text: f"it is {coded(text.encode())}, they say",
    "base64 with letters in front": lambda text: f"v1{coded(text.encode())}",
    "base64 of a pair": lambda text: f"Authorization: Basic {coded(f'user:{text}'.encode())}",
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(f"?>~{text}".encode()).decode(),
    "base64 without padding": lambda text: coded(f" {text}".encode()).rstrip("="),
    "base64 of json": lambda text: coded(json.dumps({"secret": text}).encode()),
    "base64 in lines": lambda text: base64.encodebytes(f"{'x ' * 25}{text}{' y' * 25}".encode()).decode(),
    "base64 in lines in json": lambda text: json.dumps(base64.encodebytes(f"{'x ' * 25}{text} y".encode()).decode()),
    "base64 of base64": lambda text: coded(coded(text.encode()).encode()),
    "base64 of utf-16": lambda text: coded(text.encode("utf-16-le")),
    "a token of three parts": lambda text: f"e30.{coded(json.dumps({'s': text}).encode()).rstrip('=')}.abc",
    "data in an address": lambda text: f'<img src="data:text/plain;base64,{coded(text.encode())}">',
    "a picture's metadata": png,
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in capitals": lambda text: text.encode().hex().upper(),
    "hexadecimal with colons": lambda text: text.encode().hex(":"),
    "hexadecimal with blanks": lambda text: text.encode().hex(" "),
    "hexadecimal of json": lambda text: json.dumps({"secret": text}).encode().hex(),
    "hexadecimal of base64": lambda text: coded(text.encode()).encode().hex(),
    "numbers of bytes": lambda text: repr(list(text.encode())),
    "numbers of bytes as json": lambda text: json.dumps(list(text.encode()), separators=(",", ":")),
    "numbers of bytes without commas": lambda text: " ".join(map(str, text.encode())),
    "an array of bytes": lambda text: repr(bytearray(text.encode())),
    "a traceback's marks": lambda text: f"----> 3 sign({text!r})\n      ^^^^^",
}
# What needs a whole word, or a line: the secret alone is sought without them.
SECRET_ALONE: dict[str, Callable[[str], str]] = {
    "letter by letter": lambda text: repr(list(text)),
    "letters with blanks": " ".join,
    "one letter on each line": "\n".join,
    "a column of letters": lambda text: pd.Series(list(text)).to_string(index=False),
    "in the frame of a table": lambda text: "│ {} │\n│ {} │".format(*halves(text)),
    "cut by a table": lambda text: f"{text[:-2]}...",
    "cut by a table, one sign": lambda text: f"{text[:-1]}…",
    "within a word": lambda text: f"x{text}y",
}
OUT_OF_REACH: dict[str, Callable[[str], str]] = {
    "compressed": lambda text: coded(zlib.compress(text.encode() * 3)),
    "in another order": lambda text: text[::-1],
    "in two texts": lambda text: "a = {!r}\nb = {!r}".format(*halves(text)),
    "encrypted": lambda text: "".join(chr(ord(char) ^ 1) for char in text),
    "quoted-printable, nothing as it is": lambda text: each(text, "={:02X}"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", WORDS, ids=["secret", "signature", "password"])
def test_it_is_found(text: str, way: str) -> None:
    """Alone and in a longer text; masked, nothing is left of it, and what stands around it is there."""
    shown = WAYS[way](text)
    assert finder().find(shown) == WORDS[text], shown
    longer = f"first line\n{shown}\nlast line"
    assert finder().find(longer) == WORDS[text], longer
    masked = finder().mask(longer)
    assert finder().find(masked) == ""
    assert text not in masked
    assert MASK in masked or "[withheld: " in masked


@pytest.mark.parametrize("way", SECRET_ALONE)
def test_the_secret_is_found_without_its_ends(way: str) -> None:
    """It is as long as it is: nothing else reads like it."""
    assert finder().find(SECRET_ALONE[way](SECRET)) == WORDS[SECRET]


@pytest.mark.parametrize("way", OUT_OF_REACH)
def test_what_is_out_of_reach(way: str) -> None:
    """As docs/runbooks.md says: no notebook does that without intent."""
    assert finder().find(OUT_OF_REACH[way](SECRET)) == ""


SECRETS = [
    'qu"ote1',
    "it's 1234",
    "back\\slash",
    "ümlaut€",
    "a b+c/d?e=f&g",
    "100%41",
    'all "\\é& <of> it',
    "&amp;9x4d&lt;",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_any_secret_is_found(secret: str) -> None:
    """With what others escape, in each of the ways that keep its order."""
    found = SecretFinder(Account(KEY, secret, "http://127.0.0.1:9/voice"), now())
    missed = [way for way, form in WAYS.items() if not found.find(form(secret))]
    assert missed == []


def test_what_resembles_it_is_not_it() -> None:
    """Records are full of numbers, names and pictures."""
    texts = [SECRET[:-1], SECRET.upper(), KEY, f"x{PASSWORD}", f"{PASSWORD}9", "0" * 32, f"{SIGNATURE}{'0' * 32}"]
    texts += [sign(KEY, "another1", int(time.time())), sign(KEY, SECRET, int(time.time()) - 86400)]
    texts += [coded(bytes(range(256)) * 40), pd.DataFrame({"a": range(300)}).to_string(), "Exit code 0: all is there."]
    assert [text for text in texts if finder().find(text)] == []
    assert finder().mask("\n".join(texts)) == "\n".join(texts)


def test_signatures_of_the_time_of_a_record_alone() -> None:
    """From an hour before it was begun to an hour behind its end."""
    since = now() - timedelta(days=3)
    found = SecretFinder(ACCOUNT, since, since + timedelta(hours=1))
    seconds = {-5400: False, -3500: True, 0: True, 2 * 3600 - 60: True, 3 * 3600: False}
    assert {at: bool(found.find(sign(KEY, SECRET, int(since.timestamp()) + at))) for at in seconds} == seconds


def test_a_password_of_any_characters_is_found() -> None:
    """The document does not say what they are made of."""
    odd = SecretFinder(ACCOUNT, now())
    odd.add_passwords(["a-b_c.d!", "", 'p"&<x'])
    odd.add_passwords(["second+1"])
    for password in ("a-b_c.d!", 'p"&<x', "second+1"):
        for form in (str, repr, escape, json.dumps, quote):
            words: Any = form(password)
            assert odd.find(f"it is {words}") == "the password of a phone", words
    assert odd.find("a_b") == ""


def test_a_view_of_nothing() -> None:
    """An empty text, and one of many escapes that stand for none."""
    assert next(views("")) == ""
    for text in ("\\", "\\u", "\\uD800", "&#xFFFFFFFF;", "%", "%%%zz", "=" * 50, "\\x", "&;" * 50, "\x00" * 9):
        assert finder().find(text) == ""
