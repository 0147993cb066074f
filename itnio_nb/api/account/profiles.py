"""Accounts in the keyring of the operating system, by profile, and passwords of ledgers' servers.

This is the one user of the library keyring.

A keyring cannot be asked which entries it has, and asking it may open a window: the names of the profiles, and nothing
else of them, are in a file of the data folder.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from itnio_nb.api.account.private import make_private
from itnio_nb.api.account.secret import Secret, private_frames
from itnio_nb.errors import AccountError, os_error_reason

DEFAULT_PROFILE = "default"
INSTALL = 'pip install "itnio-nb[keyring]"'
_SERVICE = "itnio-nb"
_VERSION = 1  # of an entry
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST = 1200  # characters of an entry: Windows keeps 2,560 bytes, two for each
_PATIENCE = 60.0  # seconds for which a window that asks to unlock the keyring may stay open
_NONE = ("keyring.backends.fail", "keyring.backends.null")  # back ends that keep nothing
_NO_SERVICE = "this machine has none, as servers and containers have not"
_INSTEAD = "Set ITNIO_API_KEY and ITNIO_API_SECRET in the environment, or in a file .env with mode 600."
_INSTEAD_FOR_SERVER = "Set PGPASSWORD, or write the password into ~/.pgpass, with mode 600."
T = TypeVar("T")


class NoKeyringError(AccountError):
    """There is no keyring here, or it does not answer: as on a server, or in a container."""


class Profile(NamedTuple):
    """An account as a keyring has it."""

    key: str
    secret: Secret
    base_url: str


def profile_name(name: str) -> str:
    """Return the name of a profile; raise `AccountError` for what cannot be one."""
    if not _NAME.fullmatch(name):
        raise AccountError("The name of a profile has letters, digits, - _ and . in it, 64 at most: choose another.")
    return name


def keyring_name() -> str:
    """Return which keyring this is, in its own words; raise `NoKeyringError` where there is none."""
    return _ask(_name_of_backend)


def keeps_plain_text(keyring: str) -> bool:
    """Tell whether a keyring, by its name, is a file that everybody can read who has it."""
    return "Plaintext" in keyring


def _name_of_backend(keyring: Any) -> str:
    backend = keyring.get_keyring()
    chained = list(getattr(backend, "backends", ()))  # several on one machine: the first of them keeps what is new
    first = type(chained[0] if chained else backend)
    return f"{first.__module__}.{first.__qualname__}"


@private_frames
def read_profile(name: str) -> Profile | None:
    """Return the account of a profile, None where the keyring has none of that name.

    Raises `NoKeyringError`, and `AccountError` for an entry that is none of ours.
    """
    profile_name(name)
    kept = _ask(lambda keyring: keyring.get_password(_SERVICE, name))
    if kept is None:
        return None
    try:
        entry = json.loads(kept)
        parts = [entry["key"], entry["secret"], entry["base_url"]]
        is_ours = entry["version"] == _VERSION and all(isinstance(part, str) and part for part in parts)
    except (KeyError, RecursionError, TypeError, ValueError):
        is_ours, parts = False, []
    if not is_ours:
        raise AccountError(
            f"The keyring's profile {name} is none that this itnio-nb has written: itnio-nb logout --profile {name}, "
            f"then itnio-nb login --profile {name}."
        )
    return Profile(parts[0], Secret(parts[1]), parts[2])


@private_frames
def write_profile(name: str, profile: Profile) -> None:
    """Keep an account in the keyring, in place of what the profile had, and read it back.

    Raises `NoKeyringError`, also for a keyring that does not give back what it was given.
    """
    entry = {"version": _VERSION, "key": profile.key, "secret": profile.secret.reveal(), "base_url": profile.base_url}
    text = json.dumps(entry)
    if len(text) > _MOST:
        raise AccountError("Key, secret and address are too long for a keyring. " + _INSTEAD)
    profile_name(name)
    _ask(lambda keyring: keyring.set_password(_SERVICE, name, text))
    if _ask(lambda keyring: keyring.get_password(_SERVICE, name)) != text:
        raise NoKeyringError(f"The keyring does not keep what it is given. {_INSTEAD}")
    _write_names({*known_profiles(), name})


def delete_profile(name: str) -> bool:
    """Delete a profile; return whether there was one.

    Raises `NoKeyringError` where the keyring does not delete it. Its name is forgotten all the same: an account that
    nobody can read any more must not stand in the way of the next source.
    """
    profile_name(name)
    try:
        was_there = _ask(lambda keyring: keyring.get_password(_SERVICE, name)) is not None
        if was_there:
            _ask(lambda keyring: keyring.delete_password(_SERVICE, name))
    finally:
        if name in known_profiles():
            _write_names({*known_profiles()} - {name})
    return was_there


@private_frames
def read_server_password(server: str) -> Secret | None:
    """Return the password that is kept for a ledger's server, None where the keyring has none.

    `server` is its address, with the user in it. Raises `NoKeyringError`.
    """
    kept = _ask(lambda keyring: keyring.get_password(_SERVICE, server), _INSTEAD_FOR_SERVER)
    return None if kept is None else Secret(str(kept))


@private_frames
def write_server_password(server: str, password: Secret) -> None:
    """Keep the password of a ledger's server in the keyring, and read it back, as `write_profile` does."""
    text = password.reveal()
    if len(text) > _MOST:
        raise AccountError("The password is too long for a keyring. " + _INSTEAD_FOR_SERVER)
    _ask(lambda keyring: keyring.set_password(_SERVICE, server, text), _INSTEAD_FOR_SERVER)
    if _ask(lambda keyring: keyring.get_password(_SERVICE, server), _INSTEAD_FOR_SERVER) != text:
        raise NoKeyringError(f"The keyring does not keep what it is given. {_INSTEAD_FOR_SERVER}")


def delete_server_password(server: str) -> bool:
    """Delete the password of a ledger's server from the keyring; return whether there was one."""
    was_there = read_server_password(server) is not None
    if was_there:
        _ask(lambda keyring: keyring.delete_password(_SERVICE, server), _INSTEAD_FOR_SERVER)
    return was_there


def known_profiles() -> list[str]:
    """Return the names of the profiles that `write_profile` has kept for this user."""
    try:
        names = json.loads(_names_path().read_text(encoding="utf-8"))
        return sorted(name for name in names if isinstance(name, str) and _NAME.fullmatch(name))
    except (OSError, RecursionError, TypeError, ValueError):
        return []


def _write_names(names: set[str]) -> None:
    """Write the names to their file, whole or not at all: without `default` in it a sandbox would be opened."""
    path = _names_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".unfinished-") as unfinished:
            made = Path(unfinished, path.name)
            make_private(made)
            made.write_text(json.dumps(sorted(names)), encoding="utf-8")
            made.replace(path)
    except OSError as error:
        raise AccountError(f"{path} cannot be written ({os_error_reason(error)}): mend its folder.") from None


def _names_path() -> Path:
    from platformdirs import user_data_path

    return user_data_path("itnio-nb", appauthor=False) / "profiles.json"


def _ask(action: Callable[[Any], T], instead: str = _INSTEAD) -> T:
    """Return what an action on the keyring returns; whatever goes wrong there is a `NoKeyringError` in our words.

    Another thread asks, so that one that never answers is not waited for: what it says may be a window somewhere.
    """
    answers: list[T] = []
    problems: list[str] = []

    def ask() -> None:
        try:
            answers.append(action(_backend()))
        except NoKeyringError as error:
            problems.append(str(error))
        except BaseException as error:  # noqa: BLE001 - of any back end; its words may hold the entry
            problems.append(_problem(error))

    thread = threading.Thread(target=ask, name="keyring", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if answers:
        return answers[0]
    reason = problems[0] if problems else f"it does not answer within {_PATIENCE:.0f} seconds: unlock it and try again"
    raise NoKeyringError(f"The keyring cannot be used: {reason}. {instead}")


def _backend() -> Any:
    if find_spec("keyring") is None:
        raise NoKeyringError(f"its package is not installed ({INSTALL})")
    try:
        import keyring

        module = type(keyring.get_keyring()).__module__
    except Exception as error:  # noqa: BLE001 - it looks for its back end, which settings of its own can name
        settings = "PYTHON_KEYRING_BACKEND and keyringrc.cfg name it"
        raise NoKeyringError(f"its back end cannot be loaded ({type(error).__name__}; {settings})") from None
    if module in _NONE:
        raise NoKeyringError(_NO_SERVICE)
    return keyring


def _problem(error: BaseException) -> str:
    words = {
        "KeyringLocked": "it is locked: unlock it and try again",
        "NoKeyringError": _NO_SERVICE,
        "PasswordSetError": "it refused to keep the entry",
        "PasswordDeleteError": "it refused to delete the entry",
    }
    kinds = [one.__name__ for one in type(error).__mro__]
    return next((words[kind] for kind in kinds if kind in words), f"it failed ({kinds[0]})")
