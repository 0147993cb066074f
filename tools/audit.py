"""Look up published weaknesses of all that is pinned or installed, with pip-audit; "not looked up" is never "none"."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from itnio_nb.api.text import plural, printable_line
from tools.dependencies import ENVIRONMENTS, EXTRAS, PROJECT, MetadataError, dependency_graph, read_pins

NOTHING_FOUND, FOUND, NOT_CHECKED = 0, 1, 3  # 2 is argparse's, for a wrong option

# A version that has had advisories for years, of a package that is in no list of ours. A service that tells none of it
# has no advisories: a mirror that answers 404, a proxy's page, an empty response. Each would else read "nothing found".
KNOWN = ("flask", "0.5")

Versions = set[tuple[str, str]]  # names with versions

# What pip-audit's output says of a service that could not be asked, in the order in which they are tried.
_FAILURES = (
    ("ProxyError", "the proxy of this machine refuses it"),
    ("SSLError", "its certificate is not trusted here"),
    ("Timeout", "no answer in time"),
    ("timed out", "no answer in time"),
    ("Could not connect", "no connection"),
    ("Connection", "no connection"),
    ("JSONDecodeError", "the answer is not JSON"),
    ("ServiceError", "it answered with an error"),
)


@dataclass
class Findings:
    """What a service said: the weaknesses by version, and which versions it was asked about and knows."""

    checked: Versions = field(default_factory=set)
    weak: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)


class UnusableError(Exception):
    """A service could not be asked, or has no advisories; the words say why."""


def versions_to_check() -> tuple[Versions, list[str]]:
    """Return all that is pinned for any platform or installed here, and the names that no database can know."""
    versions = {(pin.name, pin.version) for pin in read_pins()}
    unknown = {PROJECT}
    for distribution in metadata.distributions():
        name = canonicalize_name(distribution.name)
        if distribution.read_text("direct_url.json"):  # from a folder, an archive or a repository
            unknown.add(name)
        else:
            versions.add((name, distribution.version))
    return versions, sorted(unknown)


def look_up(versions: Versions, options: Sequence[str], timeout: float) -> Findings:
    """Ask one service about all versions; each time also about one that is known to be weak, and first of all."""
    rounds: list[Versions] = [{KNOWN}]
    seen: Counter[str] = Counter()
    for name, version in sorted(versions):
        seen[name] += 1  # pip-audit takes each name once: its second version is for the second round
        if seen[name] == len(rounds):
            rounds.append({KNOWN})
        rounds[seen[name]].add((name, version))
    findings = Findings()
    for each in rounds:
        answer = _ask(each, options, timeout)
        if not answer.weak.pop(KNOWN, None):
            raise UnusableError("it answers, and has no advisories: a mirror, or a page of a proxy")
        findings.checked |= answer.checked
        findings.weak |= answer.weak
    return findings


def _ask(versions: Versions, options: Sequence[str], timeout: float) -> Findings:
    """Have pip-audit look versions up; no answer that can be read is no answer."""
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        pins.write_text("".join(f"{name}=={version}\n" for name, version in sorted(versions)), encoding="utf-8")
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off"]
        command += ["--format", "json", "--desc", "off", "--cache-dir", folder, "--requirement", str(pins), *options]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise UnusableError("no answer in time") from None
    try:
        answers = json.loads(done.stdout)["dependencies"]
        known = [each for each in answers if "skip_reason" not in each]
        found = {(canonicalize_name(each["name"]), each["version"]): each["vulns"] for each in known}
    except (ValueError, KeyError, TypeError):
        end = " ".join(done.stderr.splitlines()[-2:])  # the exception, or pip-audit's own words and a hint
        words = next((words for sign, words in _FAILURES if sign in end), "pip-audit ended without an answer")
        raise UnusableError(words) from None
    return Findings(set(found), {version: weak for version, weak in found.items() if weak})


def report(versions: Versions, unknown: list[str], findings: Findings, service: str) -> int:
    """Print what was found and what could not be looked up, and return the exit code."""
    brought = dependency_graph(EXTRAS, ENVIRONMENTS)
    for (name, version), weak in sorted(findings.weak.items()):
        for each in weak:
            also = f" ({', '.join(each['aliases'])})" if each.get("aliases") else ""
            mended = (
                f"fixed in {', '.join(each['fix_versions'])}" if each["fix_versions"] else "not fixed in any version"
            )
            whose = "" if name in brought else "; for tests and tools only"
            print(printable_line(f"{name} {version}: {each['id']}{also}, {mended}{whose}"))
    missed = sorted(versions - findings.checked)
    for name, version in missed:
        print(f"{name} {version}: NOT CHECKED, {service} does not know it")
    print(f"Not looked up, since they come from no index: {', '.join(unknown)}.")
    count = sum(map(len, findings.weak.values()))
    found = "1 advisory" if count == 1 else f"{count} advisories"
    print(f"{service}: {len(versions) - len(missed)} of {plural(len(versions), 'version')} checked, {found}.")
    if findings.weak:
        print("Renew what has one: make constraints, make test, make test-oldest.")
        return FOUND
    return NOT_CHECKED if missed else NOTHING_FOUND


def not_checked(because: str) -> int:
    """Say that nothing was checked, and why."""
    print(f"NOT CHECKED: {because}. Nothing is known of any dependency. Exit code {NOT_CHECKED}.")
    return NOT_CHECKED


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask the first service that has advisories; without one, say that nothing was checked."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.audit",
        description=__doc__,
        epilog=f"Exit codes: {NOTHING_FOUND} all was checked and nothing found, {FOUND} weaknesses found, "
        f"{NOT_CHECKED} something, or all, could not be checked.",
    )
    parser.add_argument("--osv-url", help="ask this copy of OSV, and nobody else")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for a service to answer everything; 900")
    options = parser.parse_args(arguments)
    services = {"PyPI": ["--vulnerability-service", "pypi"], "OSV": ["--vulnerability-service", "osv"]}
    if options.osv_url:
        services = {"OSV": [*services["OSV"], "--osv-url", options.osv_url]}
    if not find_spec("pip_audit"):
        return not_checked("pip-audit is not installed (make audit installs it)")
    try:
        versions, unknown = versions_to_check()
    except MetadataError as error:
        return not_checked(str(error).rstrip("."))
    reasons = []
    for service, words in services.items():
        try:
            return report(versions, unknown, look_up(versions, words, options.timeout), service)
        except UnusableError as error:
            reasons.append(f"{service}: {error}")
    return not_checked(
        f"no database of advisories could be asked ({'; '.join(reasons)}); try again where PyPI or OSV can be reached "
        "(HTTPS_PROXY is obeyed, --osv-url names a copy of OSV)"
    )


if __name__ == "__main__":
    sys.exit(main())
