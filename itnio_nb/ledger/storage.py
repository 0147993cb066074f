"""The disk under the ledger: is the file still the same, is there room, is the folder on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

# Enough to record what is under way: some dozens of receipts, each transaction with a few pages of 4 KiB.
RESERVE = 512 * 1024  # bytes
_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "afs",
    "9p",
    "ceph",
    "glusterfs",
    "lustre",
    "ncpfs",
    "fuse.sshfs",
    "fuse.davfs",
    "ocfs2",
)


def file_identity(path: Path) -> tuple[int, int] | None:
    """Return what tells this file from another of the same name, None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def free_bytes(*paths: Path) -> int:
    """Return how many bytes the largest of these files, all in one folder, can still grow by."""
    free = shutil.disk_usage(paths[0].parent).free
    if sys.platform == "win32":
        return free
    import resource

    most = resource.getrlimit(resource.RLIMIT_FSIZE)[0]  # ulimit -f
    if most == resource.RLIM_INFINITY:
        return free
    largest = max((path.stat().st_size for path in paths if path.exists()), default=0)
    return min(free, most - largest)


def network_kind(folder: Path) -> str:
    """Return the kind of network file system that a folder is on, "" for a disk of this machine or where none can tell.

    SQLite's write-ahead log needs memory that all its users share, which no network folder gives.
    Source: https://sqlite.org/wal.html.
    """
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""  # not Linux
    kinds: dict[str, str] = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        point = before.split(" ")[4].encode().decode("unicode_escape")  # a blank is written \\040
        kinds[point] = after.split(" ")[0]
    deepest = max((point for point in kinds if _is_in(folder, point)), key=len, default="")
    kind = kinds.get(deepest, "")
    return kind if kind.startswith(_NETWORK) else ""


def _is_in(folder: Path, point: str) -> bool:
    return folder.is_relative_to(os.fspath(point))
