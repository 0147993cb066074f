"""Make `phones.xlsx`: orders as a colleague would really send them, with what is usually wrong in them.

    python notebooks/data/make_phones.py

The file is the same, byte for byte, each time.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import xlsxwriter

HEADERS = ("Group Name", "Phone Name", "Quantity", "Display Num", "App ID", "Site", "Remark")
SUPPORT, SALES, LOGISTICS = "4luaKsL2", "9KdTq3Zx", "Vb7mW1pe"

# group name, phone name, quantity, display number, application, site, remark
ORDERS: tuple[tuple[str | int, ...], ...] = (
    ("reception", "front", 1, "8610850001", SUPPORT, "Beijing", "front desk"),
    ("hotline", "hotln", 120, "8610850100", SUPPORT, "Beijing", "three shifts"),
    ("nightshift", "night", 50, "8610850200", SUPPORT, "Beijing", ""),
    ("billing", "bill", 12, "8610850300", SUPPORT, "Beijing", ""),
    ("complaints", "compl", 8, "8610850400", SUPPORT, "Beijing", ""),
    ("technical", "tech", 30, "8610850500", SUPPORT, "Beijing", ""),
    ("second-line", "tech2", 15, "8610850510", SUPPORT, "Beijing", ""),
    ("IT", "itdesk", 4, "8610850600", SUPPORT, "Beijing", "name as they call themselves"),
    ("lobby-desk", "lobby", 2, "8610850700", SUPPORT, "Beijing", "moved here from the old building"),
    ("training", "train", 10, "8610850800", SUPPORT, "Beijing", ""),
    ("quality", "quali", 6, "8610850900", SUPPORT, "Beijing", ""),
    ("vip-care", "vipcare", 5, "8610851000", SUPPORT, "Beijing", ""),
    ("北京客服一部", "bjkf1", 25, "8610851100", SUPPORT, "Beijing", ""),
    ("北京客服二部", "bjkf2", 25, "8610851200", SUPPORT, "Beijing", ""),
    ("overflow", "over", 20, "+8610851300", SUPPORT, "Beijing", ""),
    ("north-sales", "north", 40, "8621620001", SALES, "Shanghai", ""),
    ("south-sales", "south", 45, "8621620002", SALES, "Shanghai", ""),
    ("east-sales", "east", 18, "8621620003", SALES, "Shanghai", ""),
    ("west-sales", "west", 22, "8621620004", SALES, "Shanghai", ""),
    ("key-accounts", "keyacc", 9, 8621620005, SALES, "Shanghai", "number typed without the text format"),
    ("renewals", "renew", 14, "8621620006", SALES, "Shanghai", ""),
    ("outbound-a", "outa", 50, "8621620007", SALES, "Shanghai", ""),
    ("outbound-b", "outb", 50, "8621620008", SALES, "Shanghai", ""),
    ("outbound-c", "outc", 35, "8621620009", SALES, "Shanghai", ""),
    ("trade-fair", "fair", 6, "8621620010", SALES, "Shanghai", "from March"),
    ("south-sales", "south-new", 5, "8621620011", SALES, "Shanghai", "five more for the south"),
    ("partners", "partner", 11, "8621620012", SALES, "Shanghai", ""),
    ("back-office", "back", 16, "8621620013", SALES, "Shanghai", ""),
    ("pricing", "price", 4, "", SALES, "Shanghai", "number follows"),
    ("campaigns", "campaign", 7, "8621620015", SALES, "Shanghai", ""),
    ("harbour", "harb", 13, "0755820001", LOGISTICS, "Shenzhen", "shown with the leading 0"),
    ("warehouse-1", "ware1", 24, "8675582002", LOGISTICS, "Shenzhen", ""),
    ("warehouse-2", "ware2", 24, "8675582003", LOGISTICS, "Shenzhen", ""),
    ("dispatch", "disp", 33, "8675582004", LOGISTICS, "Shenzhen", ""),
    ("drivers", "driver", 75, "8675582005", LOGISTICS, "Shenzhen", "two per vehicle"),
    ("customs", "custom", 3, "8675582006", LOGISTICS, "Shenzhen", ""),
    ("returns", "return", 9, "8675582007", LOGISTICS, "Shenzhen", ""),
    ("drivers_2", "night-driver", 6, "8675582008", LOGISTICS, "Shenzhen", "second group of drivers"),
    ("workshop", "work", 5, "8675582009", LOGISTICS, "Shenzhen", ""),
    ("gatehouse", "gate", 2, "8675582010", LOGISTICS, "Shenzhen", ""),
    ("security", "secur", 8, "8675582011", LOGISTICS, "Shenzhen", ""),
    ("深圳物流", "szwl", 17, "8675582012", LOGISTICS, "Shenzhen", ""),
    ("canteen", "cant", 1, "8675582013", LOGISTICS, "Shenzhen", ""),
    ("reception", "rec-sz", 2, "8675582014", LOGISTICS, "Shenzhen", "same name, other application"),
)


def make(path: Path) -> None:
    """Write the orders to a workbook at `path`, one sheet, headers in row 1."""
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"title": "Phones for the new year", "created": datetime(2026, 11, 2, tzinfo=UTC)})
        sheet = book.add_worksheet("Phones")
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(HEADERS) - 1, 16)
        sheet.write_row(0, 0, HEADERS, book.add_format({"bold": True}))
        text = book.add_format({"num_format": "@"})
        for row, order in enumerate(ORDERS, start=1):
            for column, cell in enumerate(order):
                if isinstance(cell, int):
                    sheet.write_number(row, column, cell)
                elif cell:
                    sheet.write_string(row, column, cell, text)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("phones.xlsx"))
