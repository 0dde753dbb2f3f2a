"""An emulated machine: its power, its cables, its console. What runs on it is not known here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: TCG is software emulation: the same everywhere, and about as slow as a small Pi. ``kvm`` is for
#: who wants a quick shell.
ACCELERATOR = os.environ.get("SPEAKERD_PI_ACCEL", "tcg")
_MONITOR_S = 60.0
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Image:
    """What ``image/build.sh`` has made."""

    folder: Path

    @property
    def disk(self) -> Path:
        """The bare system's disk: raw, never written to."""
        return self.folder / "disk.raw"

    @property
    def key(self) -> Path:
        """The private ssh key of its users root and pi."""
        return self.folder / "id_ed25519"


def made_by(script: str, suite: str) -> Path:
    """The folder that a script of image/ has made for a release of Debian; it prints that last.

    What it says meanwhile goes to standard error. Raises CalledProcessError.
    """
    path = Path(__file__).with_name("image") / script
    made = subprocess.run([path, suite], stdout=subprocess.PIPE, check=True, text=True)
    return Path(made.stdout.splitlines()[-1])


class Qemu:
    """One machine with a disk of its own; :func:`powered` makes and ends it.

    The first network card, the lifeline, leads to ssh on ``ssh_port`` of this host's loopback and
    nowhere else; the second, ``home``, to the world, with this host at 10.0.2.2.
    """

    def __init__(self, image: Image, disk: Path, artefacts: Path) -> None:
        self.image = image
        self.disk = disk
        self.ssh_port = _free_port()
        self._artefacts = artefacts
        self._monitor = disk.with_name("qmp")
        self._process: asyncio.subprocess.Process | None = None

    async def power_on(self) -> None:
        """Boot it. Raises RuntimeError where QEMU refuses."""
        self._monitor.unlink(missing_ok=True)
        forward = f"tcp:127.0.0.1:{self.ssh_port}-10.0.3.15:22"
        console = self._artefacts / "console.txt"
        with console.open("ab") as out, (self._artefacts / "qemu.txt").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                # it goes when we do, however we do
                *("setpriv", "--pdeathsig", "KILL"),
                *("qemu-system-x86_64", "-nodefaults", "-display", "none"),
                *("-machine", f"q35,accel={ACCELERATOR}", "-cpu", "max"),
                # One core: with more of them QEMU's threads race with a kernel that patches its own
                # code, and a boot in some forty ends in a panic (int3, QEMU 7.2, Linux 6.12).
                *("-smp", "1", "-m", "512"),
                *("-kernel", str(self.image.folder / "vmlinuz")),
                *("-initrd", str(self.image.folder / "initrd")),
                # Mitigations of what this processor does not do cost its emulation a tenth.
                *("-append", "console=ttyS0 root=/dev/vda rw quiet mitigations=off"),
                # unsafe: what the guest has written outlives a reset of it, and that is all
                *("-drive", f"file={self.disk},if=virtio,format=qcow2,cache=unsafe"),
                *("-netdev", f"user,id=lifeline,net=10.0.3.0/24,restrict=on,hostfwd={forward}"),
                *("-device", "virtio-net-pci,netdev=lifeline,mac=52:54:00:00:00:01"),
                *("-netdev", "user,id=home,net=10.0.2.0/24,host=10.0.2.2"),
                *("-device", "virtio-net-pci,id=home0,netdev=home,mac=52:54:00:00:00:02"),
                *("-device", "virtio-rng-pci", "-rtc", "base=utc"),
                *("-serial", "stdio", "-qmp", f"unix:{self._monitor},server=on,wait=off"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                # Ctrl-C is for whoever runs the tests; the machine is ended by them
                start_new_session=True,
            )
        while not await self._answers():
            if not self.running:
                raise RuntimeError((self._artefacts / "qemu.txt").read_text())
            await asyncio.sleep(_LOOK_S)

    async def _answers(self) -> bool:
        try:
            await self.command("query-status")
        except OSError:
            return False
        return True

    @property
    def running(self) -> bool:
        """Whether it has power."""
        return self._process is not None and self._process.returncode is None

    async def power_off(self) -> None:
        """As if unplugged. Raises TimeoutError."""
        if self.running:
            assert self._process is not None
            with contextlib.suppress(OSError):  # it may be gone before it answers
                await self.command("quit")
            async with asyncio.timeout(_MONITOR_S):
                await self._process.wait()

    async def reset(self) -> None:
        """A power cut of no length: memory is lost, the disk is as it is, and it boots again."""
        await self.command("system_reset")

    async def cable(self, *, plugged: bool) -> None:
        """The cable of the network card ``home``."""
        await self.command("set_link", name="home0", up=plugged)

    async def command(self, command: str, **arguments: object) -> None:
        """Tell QEMU's monitor, by its protocol QMP.

        Raises RuntimeError if it refuses, OSError (ConnectionError, TimeoutError) if it is gone.
        """
        async with asyncio.timeout(_MONITOR_S):
            await self._tell(command, arguments)

    async def _tell(self, command: str, arguments: dict[str, object]) -> None:
        reader, writer = await asyncio.open_unix_connection(self._monitor)
        try:
            for message in (
                {"execute": "qmp_capabilities"},
                {"execute": command, "arguments": arguments},
            ):
                writer.write(json.dumps(message).encode() + b"\n")
                await writer.drain()
                await _answered(reader)
        finally:
            writer.close()

    async def kill(self) -> None:
        """End it without asking it; its disk is of no use afterwards."""
        if self.running:
            assert self._process is not None
            self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def powered(image: Image, folder: Path, artefacts: Path) -> AsyncIterator[Qemu]:
    """A machine with a fresh copy of the image's disk, not yet powered on.

    ``folder`` (a short path, because of its sockets) gets its disk, ``artefacts`` what its console
    says. It is unplugged at the end.
    """
    disk = folder / "disk.qcow2"
    base = ("-b", str(image.disk), "-F", "raw")
    create = await asyncio.create_subprocess_exec(
        *("qemu-img", "create", "-q", "-f", "qcow2", *base, str(disk))
    )
    if await create.wait():
        raise RuntimeError(f"qemu-img cannot make {disk}, see above")
    machine = Qemu(image, disk, artefacts)
    try:
        yield machine
    finally:
        try:
            await machine.power_off()
        finally:
            await machine.kill()


async def _answered(reader: asyncio.StreamReader) -> None:
    """Wait for the next message that is an answer and not an event."""
    while line := await reader.readline():
        message = json.loads(line)
        if "error" in message:
            raise RuntimeError(f"QEMU: {message['error']['desc']}")
        if "return" in message:
            return
    raise ConnectionError("QEMU has gone")


def _free_port() -> int:
    """Below those that the kernel hands out: nobody gets it before QEMU does."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
