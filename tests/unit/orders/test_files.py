"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from itnio_nb.orders.export import write_atomically


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """New, and again; nothing else stays in the folder."""
    for contents in (b"first", b"second"):
        write_atomically(tmp_path / "file", contents)
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [contents]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_trace(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or Ctrl-C in the middle."""
    write_atomically(tmp_path / "file", b"old")

    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "replace", failing)
    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(type(error)):
        write_atomically(tmp_path / "file", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
