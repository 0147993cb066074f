"""Display numbers as people, exports and spreadsheets write them: certain, doubtful, wrong."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from itnio_nb import check_orders, read_orders
from tests.support.factories import one_order

# Each is the number behind it, with nothing but a remark.
CERTAIN = {
    **dict.fromkeys(["8610850001", "+8610850001", "86 10 85 00 01", "86-10-850001", "(86)10850001", "86/10/850001"], 1),
    **dict.fromkeys(
        ["86.10.850001", "+86 (10) 850001", "86–10–850001", "86\u00a010\u202f850001", "８６１０８５０００１"], 1
    ),
    **dict.fromkeys(
        ["'8610850001", '="8610850001"', '"8610850001"', "=8610850001", "8610850001.0", "8610850001,00"], 1
    ),
    **dict.fromkeys(["\x1f8610850001", "\u20688610850001\u2069", "\u202a8610850001\u202c", "8610850001\x00\x0b"], 1),
    **dict.fromkeys(
        ["8.6108500010E+09", "8,610850001E+9", "8.610850001e+009", "86108\u200b50001", "（86）10-850001"], 1
    ),
    **dict.fromkeys(["861-085-0001", "861 0850 001", "86 1 085-00-01", "861085 0001", "861-085-00-01"], 1),
}
TRUE = "8610850001"
# Planned, and told: as which number.
DOUBTFUL = {
    "008610850001": "008610850001",
    "00 86 10 850001": "008610850001",
    "0044 20 7946095": "0044207946095",
    "+86 010 850001": "86010850001",
    "+44 (020) 7946095": "440207946095",
    "+49-030-123456": "49030123456",
    "030 12345-100": "03012345100",
    "8610850-001": "8610850001",
    "86 10850 001": "8610850001",
    "850001 8500002": "8500018500002",
    "861085 000100": "861085000100",
    "00-11-22-33-44-55": "001122334455",
    "86 10 85 00 00 01": "861085000001",
    "8322-03-31": "83220331",
    "5551-12-24": "55511224",
    "8610850001 1": "86108500011",
}
# Never planned.
WRONG = [
    *["+44 (0)20 7946 095", "+44 (0) 207946095", "+49(0)30-123456", "0044(0)207946095", "+86 ( 0 ) 10 8500001"],
    *["2025-03-05", "05.03.2025", "12/31/2025", "2025/03/05", "5-3-2025", "2025.3.5", "31/12/1999"],
    *["10.108.50.1", "192.168.10.25", "255.255.255.0"],
    *["0755-8200001/2", "0755-8200001/02", "8500001/2/3", "8610850001-05", "030 12345-10", "0755-8200001 / 3"],
    *["8610850001(2)", "8610850001 (12)", "8500001-8500009", "850001/850002", "8500001/8502", "8610850001 - 7"],
    *["8500001, 8500002", "8500001;8500002", "8500001 & 2", "8500001 or 8500002", "8610850001 ext 12", "8610850001x12"],
    *["8610850001.5", "8.61085000123E+09", "8.61E+09", "#N/A", "WAHR", "8610850001:2", "++8610850001", "-8610850001"],
]


@pytest.mark.parametrize("cell", CERTAIN)
def test_a_certain_way_of_writing(cell: str) -> None:
    """It is read, and nothing is doubted."""
    orders = read_orders(one_order(displayNum=cell))
    assert orders["displayNum"].tolist() == [TRUE]
    assert set(check_orders(orders)["severity"]) <= {"repaired"}


@pytest.mark.parametrize(("cell", "number"), DOUBTFUL.items())
def test_a_doubtful_way_of_writing(cell: str, number: str) -> None:
    """It is read in the way that is most likely meant, with one warning."""
    orders = read_orders(one_order(displayNum=cell))
    assert orders["displayNum"].tolist() == [number]
    assert "warning" in set(check_orders(orders)["severity"])


@pytest.mark.parametrize("cell", WRONG)
def test_what_is_no_display_number(cell: str) -> None:
    """The row has an error that names the cell as it stands."""
    findings = check_orders(read_orders(one_order(displayNum=cell)))
    errors = findings[findings["severity"] == "error"]
    assert errors["column"].tolist() == ["displayNum"]
    assert errors["value"].tolist() == [cell]


def _groups(number: str, rng: random.Random, separator: str) -> str:
    """A number in groups as people write them: two or three digits, the last of four."""
    parts, left = list[str](), number[:-4]
    while left:
        size = rng.choice((2, 3))
        parts, left = [*parts, left[:size]], left[size:]
    return separator.join([*parts, number[-4:]])


def _exponent(number: str) -> str:
    return f"{number[0]}.{number[1:]}E+{len(number) - 1:02}"


# How a number of ten or eleven digits is written, by a generator that has the true number.
CERTAIN_WAYS: dict[str, Callable[[str, random.Random], str]] = {
    "plus": lambda number, _: f"+{number}",
    "blanks": lambda number, rng: _groups(number, rng, " "),
    "dashes": lambda number, rng: _groups(number, rng, "-"),
    "brackets": lambda number, _: f"({number[:3]}) {number[3:6]} {number[6:]}",
    "dots": lambda number, _: f"{number[:3]}.{number[3:6]}.{number[6:]}",
    "country code": lambda number, _: f"+{number[:2]} {number[2:4]} {number[4:]}",
    "full width": lambda number, _: number.translate({ord("0") + at: 0xFF10 + at for at in range(10)}),
    "apostrophe": lambda number, _: f"'{number}",
    "formula text": lambda number, _: f'="{number}"',
    "point zero": lambda number, _: f"{number}.0",
    "exponent with all digits": lambda number, _: _exponent(number),
    "marks of direction": lambda number, _: f"\u202a{number}\u202c",
    "no-break blanks": lambda number, rng: _groups(number, rng, "\u00a0"),
}
DAMAGING_WAYS: dict[str, Callable[[str, random.Random], str]] = {
    "(0)": lambda number, _: f"+{number[:2]} (0) {number[2:]}",
    "00 in front": lambda number, _: f"00{number}",
    "exponent": lambda number, _: f"{number[0]}.{number[1:3]}E+{len(number) - 1:02}",
    "extension": lambda number, rng: f"{number}/{rng.randrange(1, 99)}",
    "range": lambda number, rng: f"{number}-{rng.randrange(10, 99)}",
    "second number": lambda number, rng: f"{number} / {rng.randrange(10**9, 10**10)}",
    "trunk zero": lambda number, _: f"+{number[:2]} 0{number[2:]}",
}


def test_no_number_is_planned_otherwise_in_silence() -> None:
    """400 numbers, 20 of each way: none is planned as another one without a word, none certain is refused."""
    rng = random.Random(20)
    table: Counter[tuple[str, str]] = Counter()
    wrong = []
    for way, write in (CERTAIN_WAYS | DAMAGING_WAYS).items():
        for _ in range(20):
            true = str(rng.choice("234567")) + "".join(rng.choices("0123456789", k=rng.choice((9, 10))))
            cell = write(true, rng)
            orders = read_orders(one_order(displayNum=cell))
            severities = set(check_orders(orders)["severity"])
            outcome = next((one for one in ("error", "warning") if one in severities), "planned")
            table[way, outcome] += 1
            if outcome == "planned" and orders["displayNum"].tolist() != [true]:
                wrong.append((way, cell, orders["displayNum"].tolist()[0]))
    assert wrong == []
    assert [key for key in table if key[0] in CERTAIN_WAYS and key[1] == "error"] == []
    assert [key for key in table if key[0] in DAMAGING_WAYS and key[1] == "planned"] == []
    assert table.total() == 400
