"""Machines of a network that is nowhere else: namespaces of their own, each with a cable to one switch."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_PREFIX = "192.0.2."  # addresses for documentation: nobody has them


class Network:
    """Machines by name, each with an address, able to reach each other and nothing else; needs root.

    with Network(["server", "pc-1"]) as network:
        network.command("pc-1", ["ping", network.address("server")])
        network.cut("pc-1")
    """

    def __init__(self, machines: list[str]) -> None:
        self._tag = f"itnio{os.getpid()}"
        self._numbers = {name: number for number, name in enumerate(machines, 2)}

    def __enter__(self) -> Self:
        self._ip("netns", "add", self.namespace("switch"))
        try:
            self._ip("-n", self.namespace("switch"), "link", "add", "switch", "type", "bridge")
            self._ip("-n", self.namespace("switch"), "link", "set", "switch", "up")
            for name in self._numbers:
                self._add(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in [*self._numbers, "switch"]:
            subprocess.run(["ip", "netns", "del", self.namespace(name)], capture_output=True, check=False)

    def _add(self, name: str) -> None:
        inside, switch = self.namespace(name), self.namespace("switch")
        self._ip("netns", "add", inside)
        cable = self._cable(name)
        self._ip("-n", switch, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", inside)
        self._ip("-n", switch, "link", "set", cable, "master", "switch", "up")
        self._ip("-n", inside, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            self._ip("-n", inside, "link", "set", device, "up")

    def address(self, name: str) -> str:
        """Return the address of a machine."""
        return f"{_PREFIX}{self._numbers[name]}"

    def namespace(self, name: str) -> str:
        """Return what the system calls a machine."""
        return f"{self._tag}-{name}"

    def command(self, name: str, words: list[str]) -> list[str]:
        """Return the words that run a program on a machine."""
        return ["ip", "netns", "exec", self.namespace(name), *words]

    def cut(self, name: str) -> None:
        """Pull the cable of a machine: nobody is told."""
        self._ip("-n", self.namespace("switch"), "link", "set", self._cable(name), "down")

    def mend(self, name: str) -> None:
        """Put the cable of a machine in again."""
        self._ip("-n", self.namespace("switch"), "link", "set", self._cable(name), "up")

    def enter(self, name: str) -> None:
        """Have this thread, and those that it starts from now on, be on a machine."""
        with Path(f"/run/netns/{self.namespace(name)}").open() as place:
            if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), "setns")

    def _cable(self, name: str) -> str:
        return f"cable{self._numbers[name]}"

    @staticmethod
    def _ip(*words: str) -> None:
        subprocess.run(["ip", *words], capture_output=True, text=True, check=True)


def lack_of_namespaces() -> str:
    """Return why no network can be made here, "" where it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "only root can make a network of its own"
    if shutil.which("ip") is None:
        return "no ip: on Debian and Ubuntu, apt install iproute2"
    try:
        with Network(["a"]):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"this system makes no networks ({getattr(error, 'stderr', error)})"
