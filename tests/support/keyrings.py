"""Keyrings for tests: one that works, and those that do not. `PYTHON_KEYRING_BACKEND` names one of them."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, PasswordDeleteError, PasswordSetError

SECRET_IN_WORDS = "s3cr3t-in-the-words"  # that no message may repeat


class FileKeyring(KeyringBackend):
    """Keeps its entries in the file that `ITNIO_TEST_KEYRING` names, one for each process that names it."""

    priority = 1.0

    def _entries(self) -> dict[str, Any]:
        path = Path(os.environ["ITNIO_TEST_KEYRING"])
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def _write(self, entries: dict[str, Any]) -> None:
        Path(os.environ["ITNIO_TEST_KEYRING"]).write_text(json.dumps(entries), encoding="utf-8")

    def get_password(self, service: str, username: str) -> Any:
        return self._entries().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write({**self._entries(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        entries = self._entries()
        if entries.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError(f"not found: {service}")
        self._write(entries)


class PlaintextKeyring(FileKeyring):
    """Named like the one of keyrings.alt."""


class ForgetfulKeyring(FileKeyring):
    """Says nothing, and keeps nothing."""

    def _write(self, entries: dict[str, Any]) -> None:
        pass


class FullKeyring(FileKeyring):
    def _write(self, entries: dict[str, Any]) -> None:
        raise PasswordSetError(SECRET_IN_WORDS)


class KeepingKeyring(FileKeyring):
    """Never deletes."""

    def delete_password(self, service: str, username: str) -> None:
        raise PasswordDeleteError(SECRET_IN_WORDS)


class LockedKeyring(FileKeyring):
    def _entries(self) -> dict[str, Any]:
        raise KeyringLocked(SECRET_IN_WORDS)


class UnreadyKeyring(FileKeyring):
    def _entries(self) -> dict[str, Any]:
        raise InitError(SECRET_IN_WORDS)


class OddKeyring(FileKeyring):
    """As a D-Bus library that lost its connection, with what it was sending in its words."""

    def _entries(self) -> dict[str, Any]:
        raise OSError(5, SECRET_IN_WORDS)


class ExitingKeyring(FileKeyring):
    def _entries(self) -> dict[str, Any]:
        raise SystemExit(SECRET_IN_WORDS)


class SilentKeyring(FileKeyring):
    """Asks in a window somewhere whether it may, and nobody is there."""

    def _entries(self) -> dict[str, Any]:
        threading.Event().wait()
        return {}
