"""The fuzzer: bytes of real files, changed at random; reading gives orders or an `InputError`, checking never raises.

    python -m tests.torture.fuzz --inputs 100000

Each input comes from its own seed, which is printed with what failed: `--seed N --inputs 1` is that input again.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import random
import sys
import time
import zipfile
from collections import Counter

from itnio_nb import InputError, check_orders, read_orders
from tests.support.factories import ROOT

DATA = ROOT / "notebooks" / "data" / "phones.xlsx"
TEXT = (
    "groupName,phoneName,quantity,displayNum,appId,Site\r\n"
    " sales ,desk,120,+86 10 8500,4luaKsL2,Hall 2\r\n"
    '"north\nsales",Mar-05,3.0,8.61E+09,4luaKsL2,=1+1\r\n'
    "北京客服,bjkf,５,0755820001,x,\r\n"
    '\r\nBüro,büro,1,\'8610850001,x,"a ""b"""\r\n'
)
ODD = [bytes([one]) for one in b"\"\n\r,;\t\0'="] + [b"\xff\xfe", b"\xef\xbb\xbf", b"E+09", b"\xe2\x80\x8b", b"-2"]


def originals() -> list[bytes]:
    """Return the files that are changed."""
    western = TEXT.replace("北京客服", "Café 2").replace("５", "5")
    texts = [TEXT.encode(code) for code in ("utf-8", "utf-8-sig", "utf-16", "gb18030")]
    return [*texts, western.encode("cp1252"), TEXT.replace(",", ";").encode(), DATA.read_bytes()]


def changed(chance: random.Random, data: bytes) -> bytes:
    """Return the bytes with one to eight changes: flipped, cut, doubled, moved, or something odd put in."""
    content = bytearray(data)
    for _ in range(chance.randrange(1, 9)):
        at, size = chance.randrange(len(content) + 1), chance.randrange(1, 12)
        what = chance.randrange(5)
        if what == 0 and at < len(content):
            content[at] = chance.randrange(256)
        elif what == 1:
            del content[at : at + size]
        elif what == 2:
            content[at:at] = content[at : at + size * chance.randrange(1, 20)]
        elif what == 3:
            content[at:at] = chance.choice(ODD)
        else:
            other = chance.randrange(len(content) + 1)
            content[at : at + size] = content[other : other + size]
    return bytes(content)


def changed_inside(chance: random.Random, data: bytes) -> bytes:
    """Return a workbook of which one part was changed: whole outside, damaged inside."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as parts, zipfile.ZipFile(made, "w") as again:
        damaged = chance.choice(parts.namelist())
        for name in parts.namelist():
            content = parts.read(name)
            again.writestr(name, changed(chance, content) if name == damaged else content)
    return made.getvalue()


def one(seed: int) -> str:
    """Try one input; return what came of it: "orders", "refused", or what must not be."""
    chance = random.Random(seed)
    data = chance.choice(originals())
    inside = data.startswith(b"PK") and chance.random() < 0.8
    data = changed_inside(chance, data) if inside else changed(chance, data)
    try:
        orders = read_orders(data)
    except InputError as error:
        text = str(error)
        return "refused" if (len(text) > 20 and text.endswith(".")) or ":" in text else f"seed {seed}: {text!r}"
    except BaseException as error:  # noqa: BLE001 - crashes are the point; a library's panic is no Exception
        return f"seed {seed}: reading raised {error!r}"
    try:
        check_orders(orders)
    except Exception as error:  # noqa: BLE001
        return f"seed {seed}: checking raised {error!r}"
    return "orders"


def main() -> None:
    """Try many inputs on all cores; print the figures."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    begun = time.monotonic()
    with multiprocessing.Pool() as pool:
        outcomes = Counter(pool.imap_unordered(one, range(asked.seed, asked.seed + asked.inputs), 200))
    wrong = [what for what in outcomes if what not in ("orders", "refused")]
    took = time.monotonic() - begun
    print(f"{asked.inputs:,} inputs in {took:.0f} s: {outcomes['orders']:,} read, {outcomes['refused']:,} refused")
    print(f"crashes: {len(wrong)}", *wrong[:20], sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
