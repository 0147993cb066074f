"""Where an account is configured: in one place, and in no file of others.

The first of these that says anything, and nothing is taken from two: a profile of the keyring that is asked for by its
name, the environment, the nearest `.env` file, the keyring's profile `default`.
"""

from __future__ import annotations

import io
import os
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

from itnio_nb.api.account.profiles import DEFAULT_PROFILE, NoKeyringError, known_profiles, profile_name, read_profile
from itnio_nb.api.account.secret import Secret, child_environment, private_frames
from itnio_nb.errors import AccountError, AccountWarning, os_error_reason

_KEY, _SECRET, _ADDRESS = "ITNIO_API_KEY", "ITNIO_API_SECRET", "ITNIO_BASE_URL"
_PROFILE = "ITNIO_PROFILE"
ENVIRONMENT, IN_KEYRING = "the environment", "the keyring's profile"
_LARGEST = 1 << 20  # bytes of a .env file
_BY_GROUP, _BY_ALL, _READ_BY_GROUP, _READ_BY_ALL = 0o020, 0o002, 0o040, 0o004
# File systems that keep no owners and modes, as Linux names them.
_WITHOUT_MODES = {"vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "drvfs", "9p", "cifs", "smb3", "vboxsf", "hfs"}
_MOUNTS = Path("/proc/self/mounts")


@dataclass(frozen=True)
class Settings:
    """What one source says of the account: each is empty where it says nothing."""

    source: str  # "the environment", the path of a file, "the keyring's profile …", "" where there is none
    profile: str = ""  # of the keyring, which has the rest
    key: str = ""
    secret: Secret = field(default_factory=lambda: Secret(""))
    base_url: str = ""

    @property
    def is_given(self) -> bool:
        """Whether the source says anything."""
        return bool(self.profile or self.key or self.secret.reveal() or self.base_url)

    def complete(self, folder: Path | None) -> tuple[str, Secret]:
        """Return key and secret; raise `AccountError` that names exactly those that are missing."""
        given = {_KEY: bool(self.key), _SECRET: bool(self.secret.reveal())}
        missing = [name for name, is_there in given.items() if not is_there]
        if not missing:
            return self.key, self.secret
        are, them = ("is", "it") if len(missing) == 1 else ("are", "them")
        problem = f"{' and '.join(missing)} {are} not set"
        if self.source and self.is_given:
            raise AccountError(
                f"{problem} in {self.source}, which has a part of the account; nothing is taken from elsewhere. "
                f"Set {them} there too, or take out what is there."
            )
        here = folder or Path.cwd()
        nor = f"nor in {self.source}" if self.source else f"and there is no .env file in {here} or above"
        lines = "=… and ".join(missing)
        raise AccountError(
            f"{problem}: not in the environment, {nor}. Set {them}, or write {lines}=… into {self.source or '.env'}; "
            "or keep them in the keyring: itnio-nb login."
        )


@private_frames
def read_settings(folder: Path | None = None, profile: str | None = None) -> Settings:
    """Return what the first source says that says anything: see the top of this file; `profile` is asked for.

    Raises what `find_settings` raises, and `AccountError` for a profile that is not in the keyring.
    """
    found = Settings(_of_profile(profile), profile) if profile else find_settings(folder)
    return _from_keyring(found.profile) if found.profile else found


@private_frames
def find_settings(folder: Path | None = None) -> Settings:
    """Return what the first source says, where that is a profile its name alone: asking a keyring may open a window.

    Raises `AccountError` for a file that cannot be read, or that somebody else could have written. Warns
    (`AccountWarning`) of one that others can read, or that git would take into a repository.
    """
    if any(os.environ.get(name) for name in (_KEY, _SECRET, _ADDRESS, _PROFILE)):
        return _settings(ENVIRONMENT, os.environ)
    path = _find_file(folder)
    if path is not None:
        values, info = _read(path)
        if any(values.get(name) for name in (_KEY, _SECRET, _ADDRESS, _PROFILE)):
            _require_trust(path, info, has_secret=bool(values.get(_SECRET)))
            return _settings(str(path), values)
    if DEFAULT_PROFILE in known_profiles():
        return Settings(_of_profile(DEFAULT_PROFILE), DEFAULT_PROFILE)
    return Settings("" if path is None else str(path))


def given_sources(folder: Path | None = None) -> list[str]:
    """Return every source that says anything, in words, the one that counts first. Nothing is raised or warned of."""
    given, places = list[str](), list[tuple[str, Mapping[str, str | None]]]([(ENVIRONMENT, os.environ)])
    if (path := _find_file(folder)) is not None:
        try:
            places.append((str(path), _read(path)[0]))
        except AccountError:
            places.append((str(path), {_KEY: "perhaps: it cannot be read"}))
    for place, values in places:
        if profile := values.get(_PROFILE):
            given.append(_of_profile(profile))
        if any(values.get(name) for name in (_KEY, _SECRET, _ADDRESS)):
            given.append(place)
    names = known_profiles()
    first = [name for name in names if name == DEFAULT_PROFILE]
    return list(dict.fromkeys(given + [_of_profile(name) for name in first + names]))


def _of_profile(name: str) -> str:
    return f"{IN_KEYRING} {name}"


def _find_file(folder: Path | None = None) -> Path | None:
    """Return the nearest `.env` file in a folder or above it, whatever is in it, None where there is none."""
    return next((place / ".env" for place in _folders(folder) if (place / ".env").is_file()), None)


def _settings(source: str, values: Mapping[str, str | None]) -> Settings:
    if profile := values.get(_PROFILE):
        if unused := [name for name in (_KEY, _SECRET, _ADDRESS) if values.get(name)]:
            _warn(
                f"{_PROFILE}={profile} is used, and {' and '.join(unused)} in {source} not: take out one or the other."
            )
        return Settings(_of_profile(profile), profile)
    secret = Secret(values.get(_SECRET) or "")
    return Settings(source, "", values.get(_KEY) or "", secret, values.get(_ADDRESS) or "")


def _from_keyring(name: str) -> Settings:
    try:
        found = read_profile(profile_name(name))
    except NoKeyringError as error:
        forgets = ", or itnio-nb logout" if name == DEFAULT_PROFILE else ""  # it is read without being asked for
        problem = f"{error} Then take the profile {name} out: --profile, ITNIO_PROFILE{forgets}."
        raise AccountError(problem) from None
    if found is None:
        known = ", ".join(known_profiles()) or "none"
        words = f"The keyring has no profile {name} (it has: {known}). Keep the account there: itnio-nb login"
        option = "" if name == DEFAULT_PROFILE else f" --profile {name}"
        raise AccountError(f"{words}{option}; or take the profile out, for the environment or a .env file.")
    return Settings(_of_profile(name), name, *found)


def _folders(folder: Path | None) -> Iterator[Path]:
    """Yield a folder and those above it, up to the home folder; none of another owner but the first."""
    place = (folder or Path.cwd()).resolve()
    home = None
    with suppress(RuntimeError):
        home = Path.home().resolve()
    yield place
    for above in place.parents:
        if place == home or not (_is_own(place) and _is_own(above)):
            return
        yield above
        place = above


def _is_own(folder: Path) -> bool:
    if not hasattr(os, "geteuid"):
        return True
    try:
        return folder.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _read(path: Path) -> tuple[dict[str, str | None], os.stat_result]:
    from dotenv import dotenv_values

    problem, values, info = "", dict[str, str | None](), None
    try:
        with path.open("rb") as file:
            info = os.fstat(file.fileno())
            data = file.read(_LARGEST + 1)
        problem = "it has more than 1 MiB" if len(data) > _LARGEST else ""
        values = {} if problem else dotenv_values(stream=io.StringIO(data.decode("utf-8-sig")), interpolate=False)
    except OSError as error:
        problem = os_error_reason(error)
    except ValueError:
        problem = "it is not UTF-8 text"
    if problem or info is None:  # outside of `except`: the original may hold the file's text
        raise AccountError(f"The file {path} cannot be read ({problem}): mend or delete it.")
    return values, info


def _require_trust(path: Path, info: os.stat_result, *, has_secret: bool) -> None:
    """Raise `AccountError` for a file that somebody else could have written; warn of one that others may read."""
    mend = f'chmod 600 "{path}"'
    if not _keeps_modes(path):
        _warn(f"{path} is on a file system without owners and modes: whoever can write there can set the account.")
    elif info.st_uid not in (os.geteuid(), 0):
        raise AccountError(
            f"{path} is not used: it belongs to another user ({_user_name(info.st_uid)}), who could have your "
            "signatures sent anywhere. Make a file of your own, or set the variables in the environment."
        )
    elif writers := _others(info, _BY_ALL, _BY_GROUP):
        raise AccountError(
            f"{path} is not used: {writers} can write it, and have your signatures sent anywhere. "
            f"Look at what is in it, then: {mend}"
        )
    elif has_secret and (readers := _others(info, _READ_BY_ALL, _READ_BY_GROUP)):
        _warn(f"{path} has the API secret, and {readers} can read it: {mend}")
    if has_secret and _is_in_git(path):
        _warn(f"{path} has the API secret, and git would take it into a repository: write .env into .gitignore.")


def _warn(problem: str) -> None:
    warnings.warn(problem, AccountWarning, stacklevel=2)


def _user_name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _others(info: os.stat_result, by_all: int, by_group: int) -> str:
    """Return who besides its owner may do something with a file, "" for nobody."""
    if info.st_mode & by_all:
        return "everybody on this machine"
    return "its group" if info.st_mode & by_group and not _is_own_group(info) else ""


def _is_own_group(info: os.stat_result) -> bool:
    """Whether a file's group is its owner's alone: the main group, which bears the owner's name or number."""
    import grp
    import pwd

    try:
        owner, group = pwd.getpwuid(info.st_uid), grp.getgrgid(info.st_gid)
    except KeyError:
        return info.st_gid == info.st_uid
    is_private = group.gr_name == owner.pw_name or info.st_gid == info.st_uid
    return owner.pw_gid == info.st_gid and is_private and set(group.gr_mem) <= {owner.pw_name}


def _keeps_modes(path: Path) -> bool:
    """Whether a file's owner and mode say anything: not on Windows, nor on a disk that was made for it."""
    if not hasattr(os, "geteuid"):
        return False
    try:
        mounts = [line.split() for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:  # no Linux
        return True
    place = path.resolve()
    holding = [(len(at), kind) for _, at, kind, *_ in mounts if place.is_relative_to(at.replace("\\040", " "))]
    return max(holding, default=(0, ""))[1] not in _WITHOUT_MODES


def _is_in_git(path: Path) -> bool:
    """Whether a file is in a git work tree that does not ignore it; False where git is not there to be asked."""
    git = which("git")
    if git is None or not any((place / ".git").exists() for place in path.parents):
        return False
    # No program that the repository's own settings name.
    asked = [git, "-c", "core.fsmonitor=false", "-C", str(path.parent), "check-ignore", "--quiet", path.name]
    try:
        options: dict[str, Any] = {"env": child_environment(), "capture_output": True, "timeout": 5}
        done = subprocess.run(asked, stdin=subprocess.DEVNULL, check=False, **options)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 1
