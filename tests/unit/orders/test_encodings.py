"""Text files in the encodings in common use: read right, or told, or refused; never planned as garbage in silence."""

from __future__ import annotations

import pytest

from itnio_nb import InputError, check_orders, read_orders
from tests.support.factories import COLUMNS

_RUSSIAN = ("Отдел продаж", "Склад Москва", "Приёмная")
_JAPANESE = ("東京営業部", "大阪支店", "受付カウンター")
_GERMAN = ("Büro Zürich", "Straße Süd", "Geschäftsführung")
READ_RIGHT = ("cp1252", "iso8859-15", "gbk", "gb18030", "utf-8", "utf-16")
NAMES = {
    "cp1250": ("Zażółć gęślą", "Příjem hovorů", "Ügyfélszolgálat"),
    "cp1251": _RUSSIAN,
    "cp1252": _GERMAN,
    "cp1253": ("Τμήμα πωλήσεων", "Αθήνα", "Υποδοχή"),
    "cp1254": ("Satış ekibi", "İstanbul şube", "Müşteri hattı"),
    "cp1255": ("מחלקת מכירות", "קבלה", "שירות"),
    "cp1256": ("قسم المبيعات", "الاستقبال", "خدمة"),
    "cp1257": ("Pārdošanas nodaļa", "Rīga", "Klientų aptarnavimas"),
    "cp1258": ("Bán hàng", "Lê tân", "Kho Đông"),
    "cp874": ("ฝ่ายขาย กรุงเทพ", "ต้อนรับ", "คลังสินค้า"),
    "big5": ("台北營業部", "高雄客服", "櫃檯"),
    "gbk": ("北京销售部", "上海客服", "前台"),
    "gb18030": ("北京销售部", "成都仓库", "会议室一"),
    "euc-kr": ("서울 영업부", "부산 고객센터", "안내 데스크"),
    "cp949": ("서울 영업부", "부산 고객센터", "안내 데스크"),
    "euc-jp": _JAPANESE,
    "shift_jis": _JAPANESE,
    "koi8-r": _RUSSIAN,
    "cp866": _RUSSIAN,
    "iso8859-5": _RUSSIAN,
    "mac_cyrillic": _RUSSIAN,
    "mac_roman": _GERMAN,
    "cp437": _GERMAN,
    "cp850": _GERMAN,
    "iso8859-2": ("Zażółć gęślą", "Příjem hovorů", "Ügyfélszolgálat"),
    "iso8859-15": _GERMAN,
    "utf-8": _JAPANESE,
    "utf-16": _RUSSIAN,
}


def file_of(names: tuple[str, ...], encoding: str, repeated: int = 1) -> bytes:
    rows = [(name, f"phone{at}", "3", "8610850001", "x") for at, name in enumerate(names * repeated)]
    return "\r\n".join(",".join(cells) for cells in [COLUMNS, *rows]).encode(encoding)


def refusal(data: bytes) -> str:
    try:
        read_orders(data)
    except InputError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("repeated", [1, 40])
@pytest.mark.parametrize("encoding", NAMES)
def test_no_garbage_is_planned_in_silence(encoding: str, repeated: int) -> None:
    """Right; or a warning at the first cell that was decided, with other readings; or refused with what helps."""
    for names in (NAMES[encoding], NAMES[encoding][:1]):
        data = file_of(names, encoding, repeated)
        if said := refusal(data):
            assert "save it as XLSX, or as CSV UTF-8" in said
            continue
        orders = read_orders(data)
        told = check_orders(orders).query("severity == 'warning' and problem.str.contains('which is a guess')")
        if encoding.startswith("utf"):
            assert told.empty
        else:
            assert told[["row", "column"]].to_numpy().tolist() == [[2, "groupName"]]
            assert "cp1252" in told["problem"].iloc[0] or "gb18030" in told["problem"].iloc[0]
        if encoding in READ_RIGHT:
            assert orders["groupName"].tolist() == list(names * repeated)


@pytest.mark.parametrize(
    ("encoding", "meant"),
    [
        *[("cp1250", "Zażółć gęślą"), ("cp1251", "Отдел продаж"), ("cp1253", "Τμήμα πωλήσεων")],
        *[("cp1254", "Satış ekibi"), ("euc-kr", "서울 영업부"), ("mac_roman", "Büro Zürich")],
    ],
)
def test_the_other_readings_are_said(encoding: str, meant: str) -> None:
    """Named with their encoding, which can be given instead: then nothing is told."""
    data = file_of(NAMES[encoding], encoding)
    assert f"{meant} ({encoding})" in " ".join(check_orders(read_orders(data))["problem"])
    orders = read_orders(data, encoding=encoding)
    assert orders["groupName"].tolist() == list(NAMES[encoding])
    assert check_orders(orders).empty


def test_a_guess_that_decides_nothing_is_not_told() -> None:
    """Letters beyond ASCII in a column that is not sent."""
    data = ",".join([*COLUMNS, "note"]) + "\nsales,desk,3,8610850001,x,Büro\n"
    assert check_orders(read_orders(data.encode("cp1252"))).empty
