"""The fuzzer: real files changed at random, and files of odd structure; they give orders or an `InputError`.

Nothing else is raised, no process dies, none takes more than 2 seconds of a processor or 500 MB more than before.

    python -m tests.torture.fuzz --inputs 100000

Each input comes from its own seed, which is printed with what failed: `--seed N --inputs 1` is that input again.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import random
import sys
import time
import zipfile
from collections import Counter
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path

from itnio_nb import InputError, check_orders, read_orders
from tests.support.factories import ROOT
from tests.torture.structures import WAYS

MAX_SECONDS, MAX_MB = 2, 500
OLD = ROOT / "tests" / "data" / "phones.xls"
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


def made(seed: int) -> bytes:
    """Return one input: a real file that was changed, or one of odd structure, which is changed now and then."""
    chance = random.Random(seed)
    kind = chance.random()
    if kind < 0.01:
        return changed(chance, OLD.read_bytes())  # read in a process of its own, which takes a while
    if kind < 0.5:
        data = chance.choice(WAYS)(chance)
        return data if chance.random() < 0.7 else changed(chance, data)
    data = chance.choice(originals())
    inside = data.startswith(b"PK") and chance.random() < 0.8
    return changed_inside(chance, data) if inside else changed(chance, data)


def one(seed: int) -> str:
    """Try one input; return what came of it: "orders", "refused", or what must not be."""
    data = made(seed)
    begun = time.process_time()
    _forget_peak()
    before = _mb("VmRSS:")
    outcome = _read_and_check(data, seed)
    took, peak = time.process_time() - begun, _mb("VmHWM:") - before
    if took > MAX_SECONDS or peak > MAX_MB:
        return f"seed {seed}: {took:.1f} s, {peak} MB"
    return outcome


def _read_and_check(data: bytes, seed: int) -> str:
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


def _forget_peak() -> None:
    """Let the kernel count the most memory of this process from now on; only Linux does."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _mb(what: str) -> int:
    """Return what the kernel tells of the memory of this process."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(status.split(what)[1].split()[0]) // 1024


def _work(first: int, last: int, step: int, outcomes: Connection) -> None:
    """Try every so-manieth input; tell each before, and what came of it."""
    for seed in range(first, last, step):
        outcomes.send(seed)
        outcomes.send(one(seed))


def tried(first: int, last: int, workers: int) -> Counter[str]:
    """Return how often each outcome was; a worker that dies is one, and another goes on behind its input."""
    found: Counter[str] = Counter()
    beginnings = [first + worker for worker in range(workers)]
    at: dict[Connection, int] = {}
    while beginnings or at:
        for beginning in beginnings:
            ours, theirs = multiprocessing.Pipe(duplex=False)
            multiprocessing.Process(target=_work, args=(beginning, last, workers, theirs)).start()
            theirs.close()
            at[ours] = -1
        beginnings = []
        ready = wait(list(at))
        for connection in [one for one in at if one in ready]:
            try:
                told = connection.recv()
            except EOFError:
                if (died := at.pop(connection)) >= 0:
                    found[f"seed {died}: the process died"] += 1
                    beginnings.append(died + workers)
                continue
            at[connection] = told if isinstance(told, int) else -1
            found.update([told] if isinstance(told, str) else [])
    return found


def main() -> None:
    """Try many inputs on all cores; print the figures."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    begun = time.monotonic()
    outcomes = tried(asked.seed, asked.seed + asked.inputs, os.cpu_count() or 1)
    wrong = [what for what in outcomes if what not in ("orders", "refused")]
    took = time.monotonic() - begun
    print(f"{asked.inputs:,} inputs in {took:.0f} s: {outcomes['orders']:,} read, {outcomes['refused']:,} refused")
    print(f"crashes: {len(wrong)}", *wrong[:20], sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
