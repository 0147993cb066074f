"""What is repaired without loss, how that is listed, and what is left alone."""

from __future__ import annotations

import pytest

from itnio_nb import check_orders, read_orders
from tests.support.factories import COLUMNS, many_orders, one_order
from tests.support.spreadsheets import csv, source_of

# Column, cell as it comes, cell as it is read, how it was repaired.
REPAIRED: tuple[tuple[str, str, str, str], ...] = (
    ("groupName", " sales ", "sales", "had blanks around it"),
    ("groupName", "sales\u3000", "sales", "had blanks around it"),
    ("groupName", "\xa0sales", "sales", "had blanks around it"),
    ("groupName", "\u200bsales", "sales", "had blanks around it"),
    ("groupName", "\ufeffsales", "sales", "had blanks around it"),
    ("groupName", "sa\u200bles", "sales", "had invisible characters in it"),
    ("groupName", "sa\xadles", "sales", "had invisible characters in it"),
    ("groupName", "sales\u200e", "sales", "had blanks around it"),
    ("appId", " 4luaKsL2", "4luaKsL2", "had blanks around it"),
    ("appId", "4luaKsL2\u2060", "4luaKsL2", "had blanks around it"),
    ("displayNum", "'8610850001", "8610850001", "had an apostrophe before it"),
    ("phoneName", "'2024", "2024", "had an apostrophe before it"),
    ("displayNum", "+8610850001", "8610850001", "had a + before it"),
    ("displayNum", "+86 10 8500 01", "8610850001", "had a + before it; had separators in it"),
    ("displayNum", "86-1085-0001", "8610850001", "had separators in it"),
    ("displayNum", "86–1085–0001", "8610850001", "had separators in it"),
    ("displayNum", "(86) 10850001", "8610850001", "had separators in it"),
    ("displayNum", "86/10/850001", "8610850001", "had separators in it"),
    ("displayNum", "86.10.850001", "8610850001", "had separators in it"),
    ("displayNum", "86\xa010850001", "8610850001", "had separators in it"),
    ("displayNum", "8610850001.0", "8610850001", "had .0 behind it"),
    ("displayNum", "８６１０８５０００１", "8610850001", "was written in other digits"),
    ("displayNum", "٨٦١٠٨٥٠٠٠١", "8610850001", "was written in other digits"),
    ("displayNum", "＋８６１０８５０００１", "8610850001", "was written in other digits; had a + before it"),
    ("displayNum", "8.610850001E+09", "8610850001", "was written with an exponent, with all its digits"),
    ("displayNum", "8.61085E5", "861085", "was written with an exponent, with all its digits"),
    ("quantity", "30.0", "30", "had .0 behind it"),
    ("quantity", " 30", "30", "had blanks around it"),
    ("quantity", "３０", "30", "was written in other digits"),
    ("quantity", "'30", "30", "had an apostrophe before it"),
    ("quantity", "+30", "30", "had a + before it"),
)
# Column, cell: nothing is changed, and nothing found.
UNTOUCHED: tuple[tuple[str, str], ...] = (
    ("groupName", "north  sales"),
    ("groupName", "family\U0001f468\u200d\U0001f469"),
    ("phoneName", "'t Hart"),
    ("quantity", "030"),
    ("groupName", "March-5th"),
    ("groupName", "Nullius"),
    ("groupName", "nan!"),
)


@pytest.mark.parametrize("column", COLUMNS)
def test_repaired_cells(column: str) -> None:
    """Each repair is made, and found with the cell as it was."""
    cells, texts, repairs = zip(*(case[1:] for case in REPAIRED if case[0] == column), strict=True)
    orders = read_orders(many_orders(len(cells)).assign(**{column: cells}))
    assert orders[column].tolist() == list(texts)
    findings = check_orders(orders).query("severity == 'repaired'")
    advice = [f"Nothing to do: read as {text}." for text in texts]
    expected = zip([column] * len(cells), cells, repairs, advice, strict=True)
    assert list(findings[["column", "value", "problem", "advice"]].itertuples(index=False, name=None)) == list(expected)


@pytest.mark.parametrize(("column", "cell"), UNTOUCHED, ids=range(len(UNTOUCHED)))
def test_an_untouched_cell(column: str, cell: str) -> None:
    """What may be meant stays as it is."""
    orders = read_orders(one_order(**{column: cell}))
    assert orders[column].tolist() == [cell]
    assert check_orders(orders).empty


def test_repairs_are_lossless_and_listed() -> None:
    """Outer blanks and the + before a number: before, after, how."""
    orders = read_orders(csv(" aaaa\u3000,bb bb, 30 ,+8613800001, x"))
    assert list(orders.loc[2]) == ["aaaa", "bb bb", "30", "8613800001", "x"]
    repairs = {repair.column: repair for repair in source_of(orders).repairs}
    assert set(repairs) == {"groupName", "quantity", "displayNum", "appId"}
    assert (repairs["groupName"].before, repairs["groupName"].after) == (" aaaa\u3000", "aaaa")
    assert repairs["displayNum"].how == "had a + before it"
    assert "4 cells repaired" in str(source_of(orders))
