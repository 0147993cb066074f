"""Cells that were damaged before the file came here: each is found, and stays as it came."""

from __future__ import annotations

from datetime import datetime

import pytest

from itnio_nb import check_orders, read_orders
from tests.support.factories import COLUMNS, many_orders, one_order
from tests.support.spreadsheets import row, warnings_of, workbook

# Column, cell, severity, how the problem begins.
DAMAGED: tuple[tuple[str, str, str, str], ...] = (
    ("displayNum", "8.61E+09", "error", "keeps 3 of its 10 digits"),
    ("displayNum", "8,61E+09", "error", "keeps 3 of its 10 digits"),
    ("displayNum", "9E+12", "error", "keeps 1 of its 13 digits"),
    ("quantity", "1E+02", "error", "keeps 1 of its 3 digits"),
    ("displayNum", "#N/A", "error", "is an error of the spreadsheet, not a value"),
    ("displayNum", "#REF!", "error", "is an error of the spreadsheet, not a value"),
    ("displayNum", "########", "error", "is an error of the spreadsheet, not a value"),
    ("displayNum", "8610850001 ext 5", "error", "holds more than the digits 0 to 9"),
    ("displayNum", "86108500O1", "error", "holds more than the digits 0 to 9"),
    ("displayNum", "861085.5", "error", "holds more than the digits 0 to 9"),
    ("displayNum", "-8610850001", "error", "holds more than the digits 0 to 9"),
    ("displayNum", "+86 x138", "error", "holds more than the digits 0 to 9"),  # only what is certain is repaired
    ("quantity", "1,200", "error", "is not a whole number"),
    ("quantity", "1.000", "error", "is not a whole number"),
    ("quantity", "1.5", "error", "is not a whole number"),
    ("quantity", "30 phones", "error", "is not a whole number"),
    ("quantity", "30-40", "error", "is not a whole number"),
    ("quantity", "½", "error", "is not a whole number"),
    ("quantity", "#VALUE!", "error", "is an error of the spreadsheet, not a value"),
    ("quantity", "8610850001", "error", "is more than 100,000 phones in one order"),
    ("groupName", "Mar-05", "error", "is a date where a group name was: the spreadsheet has changed"),
    ("groupName", "5-Mar", "error", "is a date where a group name was"),
    ("phoneName", "5-Mar-25", "error", "is a date where a phone name was"),
    ("groupName", "2025-03-05", "error", "is a date where a group name was"),
    ("groupName", "3/5/2025", "error", "is a date where a group name was"),
    ("groupName", "TRUE", "error", "is a truth value of the spreadsheet, not text"),
    ("groupName", "#NAME?", "error", "is an error of the spreadsheet, not a value"),
    ("appId", "#N/A", "error", "is an error of the spreadsheet, not a value"),
    ("groupName", "B�ro 1", "error", "has characters that were lost when the file was converted"),
    ("groupName", "BÃ¼ro 1", "warning", "looks as if it had been read in another encoding"),
    ("groupName", "floor\u20285", "error", "contains a line break or another control character"),
)


@pytest.mark.parametrize("column", COLUMNS)
def test_damaged_cells(column: str) -> None:
    """One finding for each, with advice; the cell stays as it came."""
    cells, severities, problems = zip(*(case[1:] for case in DAMAGED if case[0] == column), strict=True)
    orders = read_orders(many_orders(len(cells)).assign(**{column: cells}))
    assert orders[column].tolist() == list(cells)
    findings = check_orders(orders)
    expected = list(zip(orders.index, [column] * len(cells), cells, severities, strict=True))
    assert list(findings[["row", "column", "value", "severity"]].itertuples(index=False, name=None)) == expected
    assert all(map(str.startswith, findings["problem"], problems))
    assert findings["advice"].ne("").all()


def test_cells_of_a_workbook() -> None:
    """Numbers stored as numbers keep every digit; a date and a truth value where a name was are errors."""
    numbers = ("sales", 2024, 30, 8610850001, "x")
    dated, truth = (datetime(2025, 3, 5), "desk", 3, "8610850002", "x"), ("north", True, 3, "8610850003", "x")
    orders = read_orders(workbook(tuple(COLUMNS), numbers, dated, truth))
    assert row(orders, 2) == ["sales", "2024", "30", "8610850001", "x"]
    findings = check_orders(orders)
    assert findings[["row", "column", "severity"]].to_numpy().tolist() == [
        [2, "phoneName", "warning"],
        [2, "displayNum", "warning"],
        [3, "groupName", "error"],
        [4, "phoneName", "error"],
    ]
    assert "Compare 8610850001 with the true value." in findings["advice"].tolist()


def test_a_leading_zero_that_may_be_lost() -> None:
    """One number has a digit less than nearly all others."""
    numbers = [f"0755820{at:03}" for at in range(10)]
    assert warnings_of(displayNum=[*numbers, "755820099"]) == [
        [12, "displayNum", "has 9 digits, nearly all others 10: a 0 at its beginning may be lost"]
    ]
    assert warnings_of(displayNum=numbers) == []
    assert warnings_of(displayNum=["1234567", "12345678"]) == []


def test_one_number_for_hundreds_of_groups() -> None:
    """Remarked once, with how many."""
    assert warnings_of(displayNum=["8610850001"] * 201) == [[2, "displayNum", "is the display number of 201 groups"]]
    assert warnings_of(displayNum=["8610850001"] * 200) == []
    assert str(warnings_of(displayNum=["8610850001"] * 5, quantity=["5000"] * 5)[0][2]).endswith("500 groups")


# What a spreadsheet, a program or an encoding has made of a name: never planned.
ALTERED = [
    *["1.20E+04", "1E+05", "2.31E+19", "1,2E+04", "1e+20", "-1E-05", "4e+30"],
    *[
        "2025/3/5",
        "05.03.2025",
        "5.3.2025",
        "05. Mrz",
        "05-mars",
        "3月5日",
        "2025年3月5日",
        "Mär-05",
        "5-mar",
        "05-MAR",
    ],
    *[
        "2025-03-05T00:00:00",
        "2025-03-05 00:00:00",
        "12/31/2025",
        "5/3/25",
        "5-мар",
        "Şub-25",
        "5. Dez. 2025",
        "3월 5일",
    ],
    *["12:30", "12:30:00", "1:30 AM", "1:30 p.m.", "23:59:59.5", "12時30分"],
    *["TRUE", "False", "true", "WAHR", "FALSCH", "VRAI", "FAUX", "VERDADERO", "ИСТИНА", "PRAWDA", "SANT", "DOĞRU"],
    *["#WERT!", "#BEZUG!", "#ZAHL!", "#VALEUR!", "#NOM?", "#N/D", "#¡REF!", "#ИМЯ?", "#ERROR!", "#SPILL!", "#CALC!"],
    *["#GETTING_DATA", "Err:502", "#N/V", "#NV", "#Н/Д", "#¿NOMBRE?", "#######", "Loading...", "#NAAM?", "#RIF!"],
    *["????", "??? ??", "caf??", "锟斤拷锟斤拷", "烫烫烫烫", "sa\ufffdles", "????? sales"],
]
# Planned, and told.
DOUBTFUL = [
    *[
        "1001.0",
        "1001,0",
        "12.10",
        "1001.5",
        "NULL",
        "None",
        "(null)",
        "<null>",
        "undefined",
        "N.A.",
        "(blank)",
        "<NaN>",
    ],
    *["----", "-–—-", "# sales", "// sales", "-- sales", "; sales", "REM sales", '"sales"', "'sales'"],
    *["“sales”", "`sales`", "«sales»", "„sales“", "sal\u200cles", "sa\ufe00les", "sa\u3164les", "sa\U000e0041les"],
    *["BÃ¼ro", "CafÃ© Ã©tage", "Ð¡ÐºÐ»Ð°Ð´", "BĂĽro", "上海北京".encode().decode("gbk"), "B√ºro"],
]
GOOD = [
    *[
        "sales",
        "Room 12E3",
        "12E3",
        "March-5th",
        "May flower",
        "Decker",
        "#1 sales",
        "What?",
        "Café étage",
        "北京销售部",
    ],
    *["Отдел продаж", "Αθήνα", "מכירות", "family\U0001f468\u200d\U0001f469", "v1.2.3", "True North", "Null Island"],
    *["Büro Zürich", "10.1.2.3", "24/7 desk", "3-2-1 shop", "O'Brien's", "Søren", "nanny", "remote", "A-B-C-D", "2025"],
]


@pytest.mark.parametrize("cell", ALTERED)
def test_a_name_that_was_altered(cell: str) -> None:
    """An error, whichever program and language it was."""
    findings = check_orders(read_orders(one_order(groupName=cell)))
    assert "error" in set(findings["severity"]), findings


@pytest.mark.parametrize("cell", DOUBTFUL)
def test_a_name_that_is_doubtful(cell: str) -> None:
    """A warning, and the row is planned."""
    findings = check_orders(read_orders(one_order(groupName=cell)))
    assert set(findings["severity"]) == {"warning"}, findings


@pytest.mark.parametrize("cell", GOOD)
def test_a_name_that_is_good(cell: str) -> None:
    """Nothing is said about it."""
    assert check_orders(read_orders(one_order(groupName=cell))).empty


MISREAD = [
    *[("Büro Zürich", one) for one in ("cp1252", "latin-1", "cp1250", "mac_roman", "cp437", "cp850", "gbk")],
    *[("Отдел", one) for one in ("latin-1", "cp1251", "cp437", "cp850", "mac_roman")],
    *[("北京客服", one) for one in ("latin-1", "gbk", "gb18030", "cp437", "mac_roman")],
    *[("東京営業", one) for one in ("gbk", "cp850")],
    *[("Zażółć", one) for one in ("latin-1", "mac_roman", "cp437")],
    *[("서울영업부", one) for one in ("latin-1", "cp437")],
]


@pytest.mark.parametrize(("name", "encoding"), MISREAD)
def test_a_name_that_was_misread(name: str, encoding: str) -> None:
    """UTF-8 that a program took for another encoding: what it may have been is said."""
    cell = name.encode().decode(encoding)
    findings = check_orders(read_orders(one_order(groupName=cell)))
    told = findings[findings["problem"].str.startswith("looks as if it had been read in another encoding")]
    assert told["severity"].tolist() == ["warning"], findings
    assert told["problem"].iloc[0].endswith(f": it may be {name}") or encoding in ("latin-1", "cp437", "cp850")


def test_names_of_china_are_not_doubted() -> None:
    """Pairs of common letters are UTF-8 of two bytes in GBK: 前台, the reception, is one."""
    words = (
        "前台 客服 销售 财务 人事 仓库 会议室 经理 总机 门卫 值班 技术 研发 市场 行政 采购 物流 法务 北京 上海 深圳 "
    )
    words += (
        "广州 成都 华东 一部 二部 三楼 东区 西区 大厅 接待 热线 投诉 维修 车间 食堂 宿舍 欧洲 美洲 木牛 诺农 媒体 猫眼"
    )
    names = [f"{one}{other}" for one in words.split() for other in words.split()]
    assert [
        found for found in warnings_of(groupName=names) if found[1] == "groupName" and "differs" not in str(found[2])
    ] == []
