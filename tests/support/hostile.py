"""Texts that do something where they are shown carelessly.

`NAMES` call `p()`, and fit into a name of 32 characters. `TEXTS` are they and all others: what a page typesets, what a
spreadsheet calculates, what a terminal obeys, what nobody sees.
"""

from __future__ import annotations

from itertools import product

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

# What MathJax, matplotlib and Markdown typeset.
_TYPESET = [
    *(
        "$x^2$",
        "$a_1$ $b$",
        "$$\\frac{a}{b}$$",
        "\\(x\\)",
        "\\[x\\]",
        "\\begin{x}y\\end{x}",
        "$\\frac{1}{0",
        "a$b$c$d$",
    ),
    *(
        "$\\require{x}$",
        "$\\def\\a{\\a\\a}\\a$",
        "\\eqref{x}",
        "$\\mathbf{x}$",
        "$$",
        "$ $",
        "\\$x$",
        "`$x$`",
        "<b>$x$</b>",
    ),
    *(
        "**x**",
        "# x",
        "![x](//x.test/a.png)",
        "[x](javascript:p())",
        "<!--x-->",
        "&nbsp;&#36;x&#36;",
        "\\ref{x}",
        "~~x~~",
    ),
    *(
        "[bold]x[/bold]",
        "[link=//x.test]x[/link]",
        "[red]",
        "[/]",
        "\\[x]",
        "%(x)s",
        "{x}",
        "{0.__class__}",
        "%n%s",
        "{{x}}",
    ),
]
# What a spreadsheet calculates, wherever it takes a field to begin.
_BEFORE = ("", " ", "'", '"', "north;", "north\t", "north|", "north\n", "north; ", 'north;"', "1;'")
_SUMS = ("=1+1", "+1+1", "-1+1", "@SUM(1,1)", "=1+1;x", "＝1+1", '=DDE("cmd";"/C calc";"x")', '=WEBSERVICE("//x.test")')
# What a terminal obeys: cursor, colours, title, clipboard, keys, its other character sets; the same in one character.
_ESCAPES = ["[2J", "[1A", "[1;1H", "[31m", "[?1049h", "[6n", "[5i", "[20t", "c", "7", "(0", "#8", "=", "]0;x\x07"]
_ESCAPES += (
    "]52;c;eA==\x07",
    "]52;c;eA==\x1b\\",
    "]8;;//x.test\x1b\\x",
    "]11;?\x07",
    "]1337;File=x:eA==\x07",
    "P+q54\x1b\\",
)
_ESCAPES += ["_Gx\x1b\\", "^x\x1b\\", "Xx\x1b\\", "[3;J", "[1000b", "[4h", "[!p", "[?25l", "N", "Z"]
_C1 = [chr(code) for code in (0x84, 0x85, 0x88, 0x8D, 0x8E, 0x90, 0x98, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F)]
_ALONE = [chr(code) for code in range(1, 0x20)] + ["\x7f"]
# What nobody sees, or what turns the line round; look-alikes of a line break, of an end.
_UNSEEN = ["\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067"]
_UNSEEN += (
    "\u2068",
    "\u2069",
    "\u061c",
    "\u2060",
    "\u2062",
    "\u206a",
    "\ufeff",
    "\u00ad",
    "\u034f",
    "\u115f",
    "\u1160",
)
_UNSEEN += ["\u3164", "\uffa0", "\u2800", "\u17b4", "\u180b", "\u180e", "\ufe00", "\ufe0f", "\U000e0041", "\U000e0100"]
_UNSEEN += ["\u2028", "\u2029", "\u0085", "\ufffe", "\U0001d173", "\ue000", "\U000f0000", "\u0300" * 20]

CONTROLS = (
    *(f"x\x1b{text}y" for text in _ESCAPES),
    *(f"x{text}{more}" for text, more in product(_C1, ("2J", "52;c;eA==\x9c"))),
    *(f"x{text}y" for text in (*_ALONE, *_UNSEEN)),
)
FORMULAS = tuple(f"{before}{text}" for before, text in product(_BEFORE, _SUMS))
TEXTS = (*NAMES, *_TYPESET, *FORMULAS, *CONTROLS)
