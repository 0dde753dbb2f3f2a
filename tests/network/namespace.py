"""A network of its own, at the other end of a cable that a test can pull: real packets are lost.

Needs root, and ``ip`` from Debian's iproute2.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

#: setns(2)
_CLONE_NEWNET = 0x40000000
_HERE = Path("/proc/thread-self/ns/net")


class CannotBeMadeError(Exception):
    """There can be no namespace: not root, no ``ip``, or the kernel or container forbids it."""


class Namespace:
    """A network namespace joined to this one by a cable; a context manager.

    Raises :class:`CannotBeMadeError`, with the reason. ``address`` is the far end's, ``nowhere``
    one of the same network that swallows every packet.
    """

    def __init__(self) -> None:
        number = os.getpid() % 8192 * 8  # 198.18.0.0/15 is for tests of networks (RFC 2544)
        net = f"198.{18 + number // 65536}.{number // 256 % 256}."
        self.name = f"speakerd-{os.getpid()}"
        self.address, self.here = f"{net}{number % 256 + 2}", f"{net}{number % 256 + 1}"
        self.nowhere = f"{net}{number % 256 + 3}"
        self._near, self._far = f"spk{os.getpid()}a", f"spk{os.getpid()}b"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            _ip(f"netns add {self.name}")
            undo.callback(_ip, f"netns delete {self.name}")
            _ip(f"link add {self._near} type veth peer name {self._far} netns {self.name}")
            undo.callback(_ip, f"link delete {self._near}")  # else it lingers for a moment
            for where, device, address in (
                ("", self._near, self.here),
                (f"-n {self.name} ", self._far, self.address),
            ):
                _ip(f"{where}address add {address}/29 dev {device}")
                _ip(f"{where}link set {device} up")
            _ip(f"-n {self.name} link set lo up")
            far = f"-n {self.name} neighbour add {self.nowhere} dev {self._far} nud permanent"
            _ip(f"{far} lladdr 02:00:00:00:00:03")  # nobody has this one
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._undo.close()

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The sockets that this thread makes meanwhile are there; they stay there."""
        with _HERE.open() as here, Path(f"/run/netns/{self.name}").open() as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(here.fileno())

    def udp_sockets(self) -> str:
        """The kernel's table of them there: addresses and ports are in hexadecimal."""
        return _ip(f"netns exec {self.name} cat /proc/net/udp")

    def pull_the_cable(self) -> None:
        """From now on every packet is lost, and nobody is told."""
        _ip(f"-n {self.name} link set {self._far} down")

    def plug_it_in(self) -> None:
        """Packets pass again."""
        _ip(f"-n {self.name} link set {self._far} up")


def _ip(arguments: str) -> str:
    try:
        done = subprocess.run(["ip", *arguments.split()], check=True, capture_output=True)
    except FileNotFoundError as error:
        raise CannotBeMadeError("a network namespace needs ip, of Debian's iproute2") from error
    except subprocess.CalledProcessError as error:
        why = error.stderr.decode().strip()
        raise CannotBeMadeError(f"a network namespace needs root: {why}") from error
    return done.stdout.decode()


def _setns(descriptor: int) -> None:
    # os.setns has come with Python 3.12
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
