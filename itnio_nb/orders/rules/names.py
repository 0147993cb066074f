"""Names that a spreadsheet, a program or an encoding has turned into something else, and names that look as if."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

import numpy as np

from itnio_nb.api.text import shortened
from itnio_nb.orders.rules.column_bytes import first_letters, has_any, has_controls, may_begin
from itnio_nb.orders.rules.hits import RuleHit, expand_hits
from itnio_nb.orders.text_columns import TextColumn

_CONTROL = r"[\x00-\x1f\x7f-\x{9f}\x{2028}\x{2029}]"
# How the months begin, as Excel writes them: in English, German, French, Spanish, Portuguese, Italian, Dutch, Polish,
# the languages of the North, Czech, Russian, Turkish.
_MONTHS = (
    "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mrz|mär|mai|okt|dez|janv|févr|fevr|mars|avr|juin|juil|août|aout|"
    "sept|déc|ene|abr|ago|dic|fev|out|set|gen|mag|giu|lug|ott|mrt|mei|sty|lut|kwi|maj|cze|lip|sie|wrz|paź|lis|gru|"
    "янв|фев|мар|апр|май|мая|июн|июл|авг|сен|окт|ноя|дек|oca|şub|nis|haz|tem|ağu|eyl|eki|kas|ara"
)
_MONTH_NAME = rf"({_MONTHS})\.?"
_MONTH, _DAY = "(0?[1-9]|1[0-2])", "(0?[1-9]|[12][0-9]|3[01])"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?[AaPp]\.?[Mm]\.?)?"
_DATE = "|".join(
    (
        rf"(?i:{_DAY}(-|/|\. ?){_MONTH_NAME}([-/ ]([0-9]{{2}}|[0-9]{{4}}))?)",
        rf"(?i:{_MONTH_NAME}[-/]([0-9]{{2}}|[0-9]{{4}}))",
        rf"[0-9]{{4}}[-/.]{_MONTH}[-/.]{_DAY}([T ].*)?",
        rf"({_DAY}[-/.]{_MONTH}|{_MONTH}[-/.]{_DAY})[-/.](19|20)[0-9]{{2}}( {_CLOCK})?",
        rf"({_DAY}/{_MONTH}|{_MONTH}/{_DAY})/[0-9]{{2}}",
        "([0-9]{4}年)?[0-9]{1,2}月([0-9]{1,2}日)?|[0-9]{4}年",
        "([0-9]{4}년 ?)?[0-9]{1,2}월( ?[0-9]{1,2}일)?",
    )
)
_TIME = rf"{_CLOCK}|[0-9]{{1,2}}[时時][0-9]{{1,2}}分([0-9]{{1,2}}秒)?"
# An exponent always has its sign where a program has written it: 12E3 may be a room.
_EXPONENT = r"[+-]?[0-9]([.,][0-9]+)?[eE][+-][0-9]{2,3}"
_FRACTION = "[+-]?[0-9]+[.,][0-9]+"
_TRUTH_VALUE = (
    "TRUE|FALSE|True|False|true|false|WAHR|FALSCH|VRAI|FAUX|VERDADERO|FALSO|VERO|VERDADEIRO|WAAR|ONWAAR|PRAWDA|FAŁSZ|"
    "SANT|SAND|FALSKT|FALSK|USANN|TOSI|EPÄTOSI|PRAVDA|NEPRAVDA|IGAZ|HAMIS|ADEVĂRAT|FALS|DOĞRU|YANLIŞ|ИСТИНА|ЛОЖЬ"
)
_ERROR_WORDS = (
    "VALUE|REF|NAME|NUM|NULL|DIV/0|ERROR|SPILL|CALC|FIELD|BLOCKED|CONNECT|UNKNOWN|EXTERNAL|PYTHON|BUSY|TIMEOUT|"  # en
    "WERT|BEZUG|ZAHL|ÜBERLAUF|KALK|FELD|VALEUR|NOM|NOMBRE|NUL|PROPAGATION|CALCUL|CHAMP|VALOR|NÚM|NUMERO|NULO|"
    "VALORE|RIF|NOME|WAARDE|VERW|NAAM|GETAL|LEEG|ARG|ADR|NAZWA|LICZBA|ZERO|VÄRDE!|VERDI|VÆRDI|NAVN|TALL|NAMN|OGILTIGT|"
    "ARVO|NIMI|LUKU|HODNOTA|ODKAZ|NÁZEV|ČÍSLO|ÉRTÉK|HIV|NÉV|SZÁM|ЗНАЧ|ССЫЛКА|ИМЯ|ЧИСЛО|ПУСТО|ДЕЛ/0|DEĞER|BAŞV|AD|SAYI|"
    "DIV/0|SPRIDNING|ПЕРЕНОС|DESBORDAMIENTO|DESPEJAR|ESPANSIONE|OVERLOOP|ROZLANIE"
)
SHEET_ERROR = (
    rf"^(#[¡¿!]?({_ERROR_WORDS})[!?]|#N/?[AVDB]|#N/[A-ZА-Я]{{1,3}}|#Н/Д|#YOK|#GETTING_DATA|#SIN_DATOS|#BUSY!|#+|"
    r"(Err|Ошибка|Erreur|Fehler|Error|错误|錯誤):[0-9]{3}|Loading\.\.\.)$"
)
_ALTERED = rf"^({_DATE}|{_TIME}|{_EXPONENT})$"
_TRUTH = f"^({_TRUTH_VALUE})$"
# U+FFFD, question marks in its place, and what it becomes when it is read as GBK; memory that was never written.
_REPLACED = r"\x{fffd}|\?{2,}|锟斤拷|烫烫|屯屯|^(\?+ ?)+$"
_NO_VALUES = r"null|none|nil|undefined|nan|nat|n/a|n\.a\.?|n/v|k\.a\.?|empty|blank|tbd|tba|unknown"
_NO_VALUE = rf"(?i)^[(<\[{{]?({_NO_VALUES})[)>\]}}]?$"
_MARKS = r"^([-–—_.*]+|\\N)$"
_COMMENT = r"^(#([^0-9]|$)|//|--|;|/\*|<!--|(?i:REM) )"
_QUOTES = r"^(['\"“”„‟‘’‚‛«»‹›`´].*['\"“”„‟‘’‚‛«»‹›`´])$"
_WHOLE_ROW = r"^[^,;|，；]{1,40}[,;|，；].*[,;|，；] ?['\"]?\+?[0-9]{7,13}\b"
# Joiners, variation selectors, fillers, tags, directions: they may be meant, and nobody sees them.
_HIDDEN = (
    r"[\x{34f}\x{600}-\x{605}\x{6dd}\x{70f}\x{115f}\x{1160}\x{17b4}\x{17b5}\x{180b}-\x{180f}\x{200c}\x{200d}\x{2800}"
    r"\x{3164}\x{fe00}-\x{fe0e}\x{ffa0}\x{fff9}-\x{fffb}\x{1d173}-\x{1d17a}\x{e0000}-\x{e0fff}]"
)
_SIGNS = r"[\x{2190}-\x{2bff}\x{1f000}-\x{1faff}]"  # an emoji is made of several with joiners
SHEET_ERROR_TEXTS = "is an error of the spreadsheet, not a value", "Mend the formula in the source, or type the value."
# All that damages a name, in one pattern: it is rare, so only what matches is examined.
_ASCII_DAMAGE = "|".join(
    (_ALTERED, f"^{_FRACTION}$", _TRUTH, SHEET_ERROR, r"\?\?", _NO_VALUE, _MARKS, _COMMENT, _QUOTES, _WHOLE_ROW)
)
# How what is damaged begins, unless with another character than a letter.
_WORDS = (
    *_MONTHS.split("|"),
    *_TRUTH_VALUE.split("|"),
    *_NO_VALUES.replace("\\", "").split("|"),
    "Err",
    "Fehler",
    "Loading",
    "REM",
)
_BEGINNINGS = first_letters(word for word in _WORDS if word.isascii())
_NAME_DAMAGE = "|".join((_CONTROL, _ASCII_DAMAGE, _REPLACED, _HIDDEN))
_MOJIBAKE = (
    r"[\x{c2}\x{c3}][\x{80}-\x{bf}]|\x{e2}\x{20ac}"  # é became Ã©, – became â€“, in a text that has more besides
)
# Encodings in which UTF-8 is misread, and the letters that its first bytes become there; then those of Chinese.
_MISREAD = {
    "cp1252": "Â-ô", "latin-1": "Â-ô", "cp1250": "ÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâ", "cp1251": "В-ф",
    "mac_roman": "¬√ƒ≈∆«»À‚„‰Â", "cp437": "┬├─┼╞╟╠╨╤╥╧╙╘Γß", "cp850": "┬├─┼ãÃðÐÔâ",
}  # fmt: skip
_MISREAD_AS_CHINESE = ("gbk", "big5")
# A line of UTF-8 with letters beyond ASCII; where it was read as Chinese, with some of three bytes, or one of two among
# Latin letters: a pair of common Chinese letters is UTF-8 of two bytes each too.
_LINE, _THREE = rb"[\x00-\x09\x0b-\x7f]", rb"[\xe0-\xef][\x80-\xbf]{2}"
_UTF8 = rb"(?m)^(?:%b|[\xc2-\xdf][\x80-\xbf]|%b|[\xf0-\xf4][\x80-\xbf]{3})+$" % (_LINE, _THREE)
_AMONG_LATIN = rb"(?<=[A-Za-z])[\xc3-\xc5][\x80-\xbf](?=[a-z])"
_UTF8_OF_THREE = rb"(?m)^(?=[^\n]*[\x80-\xff])(?:%b|%b|%b)+$" % (_LINE, _THREE, _AMONG_LATIN)


def damaged_names(column: str, noun: str, texts: TextColumn) -> Iterator[RuleHit]:
    """Find names that were turned into something else, lost characters, hold what nobody sees or stand for none."""
    suspect = may_begin(texts, _BEGINNINGS)
    at = np.flatnonzero(suspect)
    suspect[at] = texts.take(at).matches(_ASCII_DAMAGE)
    if has_controls(texts):
        suspect |= texts.matches(_CONTROL)
    for pattern, characters in ((r"\?\?", "?"), (_WHOLE_ROW, ",;|")):
        if has_any(texts, characters):
            suspect |= texts.matches(pattern)
    non_ascii = texts.non_ascii()
    suspect[non_ascii] |= texts.take(non_ascii).matches(_NAME_DAMAGE)
    at = np.flatnonzero(suspect)
    if len(at):
        yield from expand_hits(_name_damage(column, noun, texts.take(at)), at, len(texts))
    if len(non_ascii):
        yield from expand_hits(_misread_names(column, texts.take(non_ascii)), non_ascii, len(texts))


def _name_damage(column: str, noun: str, texts: TextColumn) -> Iterator[RuleHit]:
    again = f"Format the column as text in the source, then type the {noun} again."
    changed = f"where {'an' if noun.startswith('a') else 'a'} {noun} was: the spreadsheet has changed what was typed"
    broken = "contains a line break or another control character"
    lost = "has characters that were lost when the file was converted"
    compare = "Compare with the source."
    seen = np.zeros(len(texts), dtype=bool)
    for pattern, problem, advice, severity in (
        (_CONTROL, broken, f"Type the {noun} again on one line.", "error"),
        (f"^({_DATE})$", f"is a date {changed}", again, "error"),
        (f"^({_TIME})$", f"is a time {changed}", again, "error"),
        (f"^({_EXPONENT})$", f"is a number in exponent form {changed}", again, "error"),
        (_TRUTH, "is a truth value of the spreadsheet, not text", again, "error"),
        (SHEET_ERROR, *SHEET_ERROR_TEXTS, "error"),
        (_REPLACED, lost, "Save the source again as XLSX or CSV UTF-8, and read that.", "error"),
        (f"^{_FRACTION}$", "is a number with a fraction: its last zeros may be lost", compare, "warning"),
        (f"{_NO_VALUE}|{_MARKS}", "is what programs write where there is no value", compare, "warning"),
        (_COMMENT, "begins as a comment does", "Compare with the source: is this row an order?", "warning"),
        (
            _WHOLE_ROW,
            "holds a whole row, not divided into cells",
            "Divide it, or save the source as CSV UTF-8.",
            "warning",
        ),
        (_QUOTES, "has quotes around it", "Compare with the source: do they belong to the name?", "warning"),
    ):
        where = texts.matches(pattern) & ~seen
        seen |= where
        yield RuleHit(where, column, problem, advice, severity)
    hidden = texts.matches(_HIDDEN) & ~texts.matches(_SIGNS) & ~seen
    yield RuleHit(hidden, column, "has characters that nobody sees", f"Type the {noun} again.", "warning")


def _misread_names(column: str, texts: TextColumn) -> Iterator[RuleHit]:
    """Find UTF-8 that was read in another encoding: written in that one again, it is UTF-8 once more."""
    problem = "looks as if it had been read in another encoding than it was written in"
    found = dict.fromkeys(np.flatnonzero(texts.matches(_MOJIBAKE)).tolist(), problem)
    begins = f"[{''.join(_MISREAD.values())}][^\\x00-\\x7f]"
    for pattern, encodings, utf8 in ((begins, _MISREAD, _UTF8), (r"\p{Han}", _MISREAD_AS_CHINESE, _UTF8_OF_THREE)):
        at = np.flatnonzero(texts.matches(pattern))
        meant = _read_again(texts.take(at).replace("\n", " "), encodings, utf8) if len(at) else {}
        found |= {int(at[place]): f"{problem}: it may be {shortened(text)}" for place, text in meant.items()}
    where = np.zeros(len(texts), dtype=bool)
    where[list(found)] = True
    advice = "Compare with the source; save that as XLSX or CSV UTF-8."
    yield RuleHit(where, column, [found[at] for at in sorted(found)], advice, "warning")


def _read_again(texts: TextColumn, encodings: Iterable[str], utf8: bytes) -> dict[int, str]:
    """Return the texts that are UTF-8 when they are written in one of these encodings, as such, by position.

    All are written at once, as lines; what cannot be written becomes a question mark, and is tried alone afterwards.
    """
    some = texts.to_numpy().tolist()
    whole, meant = "\n".join(some), dict[int, str]()
    for encoding in encodings:
        lines = whole.encode(encoding, "replace")
        ends = np.flatnonzero(np.frombuffer(lines, dtype=np.uint8) == ord("\n"))
        begun = np.array([match.start() for match in re.finditer(utf8, lines)], dtype=np.intp)
        for place in np.searchsorted(ends, begun).tolist():
            with suppress(UnicodeError):
                text = some[place].encode(encoding).decode("utf-8")
                if not text.isascii():
                    meant.setdefault(place, text)
    return meant
