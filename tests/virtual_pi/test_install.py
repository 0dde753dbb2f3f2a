"""The README on a bare system, both ways: install, key, options, doctor, a turn, upgrade, purge."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.virtual_pi.clock import synchronised
from tests.virtual_pi.conftest import ARTEFACTS
from tests.virtual_pi.pi import AUTHORITY, ENV_FILE, MICROPHONE, SPEAKER, machine
from tests.virtual_pi.qemu import Image, made_by
from tests.virtual_pi.sound import words

if TYPE_CHECKING:
    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi

#: What changes by itself, what Debian's tools write, and what is pi's own.
ELSEWHERE = [
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/tmp",
    "/home",
    "/srv",
    "/var/log",
    "/var/cache",
    "/var/tmp",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/systemd",
]
CHECKOUT = Path(__file__).parents[2]
#: Building takes minutes on a small machine.
BUILDING_S = 3600.0


def checkout() -> bytes:
    """What git knows, as it is now, in a tar."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, stdout=subprocess.PIPE, check=True
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in listed.stdout.decode().split("\0")[:-1]:
            if (CHECKOUT / name).exists():
                tar.add(CHECKOUT / name, f"speakerd/{name}")
    return packed.getvalue()


async def everything(pi: Pi) -> set[str]:
    """All files that Debian's packages do not own."""
    passed_over = " -o ".join(f"-path {folder}" for folder in ELSEWHERE)
    find = f"find / -xdev \\( {passed_over} -o -name __pycache__ \\) -prune -o -print"
    owned = (await pi.root.run("cat /var/lib/dpkg/info/*.list")).splitlines()
    # some packages of Debian 12 say /lib where that is a link to /usr/lib
    owned += [f"/usr{path}" for path in owned]
    return set((await pi.root.run(find, timeout_s=300)).splitlines()) - set(owned)


async def purged(pi: Pi, before: set[str]) -> None:
    """No file is left that was not there before, no process, no unit."""
    assert await everything(pi) - before == set()
    for command in ("pgrep -f '^/opt/speakerd'", "systemctl cat speakerd"):
        assert (await pi.root.ask(command)).code, command


async def make_it_speak(pi: Pi) -> None:
    """From the README's third step to its fifth; Gemini is the simulator."""
    await pi.root.put(pi.simulator.certificate.read_bytes(), AUTHORITY)
    await pi.me.run(f"sudo tee -a {ENV_FILE} >/dev/null", given=pi.gemini.encode())
    mark = await pi.journal.mark()
    await pi.store_key()
    await pi.ready(since=mark)
    mark = await pi.journal.mark()
    cards = f"SPEAKERD_CAPTURE_DEVICE={MICROPHONE}\nSPEAKERD_PLAYBACK_DEVICE={SPEAKER}\n"
    await pi.me.run(f"sudo tee -a {ENV_FILE} >/dev/null", given=cards.encode())
    told = await pi.me.run("sudo speakerd reload", timeout_s=120)
    assert "SPEAKERD_CAPTURE_DEVICE" in told
    assert "systemctl restart" not in told
    for device in ("microphone", "speaker"):
        await pi.journal.wait("device", since=mark, device=device, state="ready")
    await pi.me.run("sudo adduser pi speakerd")
    await pi.me.hang_up()  # "and a new login"
    await pi.me.up()
    assert "ready" in (await pi.me.run("speakerd status")).lower()
    await healthy(pi)
    assert (await pi.say(words(1.0)))["SPEAKERD_OUTCOME"] == "answered"


async def healthy(pi: Pi) -> None:
    """The unit is active and ready, and the doctor has nothing to say against the machine."""
    assert await pi.unit("ActiveState", "SubState", "NRestarts") == {
        "ActiveState": "active",
        "SubState": "running",
        "NRestarts": "0",
    }
    async with synchronised(pi.root), pi.noise():
        told = await pi.me.ask("sudo speakerd doctor --no-ask", timeout_s=300)
    assert told.code == 0, told.out
    assert told.out.splitlines()[-1].startswith("0 FAIL, 0 WARN, "), told.out


async def remembers(pi: Pi, number: int, *, since: int) -> None:
    """A turn after an upgrade knows the one before; key and options are as they were."""
    await pi.ready(since=since)
    turn = await pi.say(words(0.6, seed=60))
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    assert number in pi.simulator.turns[-1].context


@pytest.mark.timeout(3 * BUILDING_S)
@pytest.mark.parametrize("suite", ["trixie", "bookworm"])
async def test_make_install(suite: str, simulator: Simulator) -> None:
    image = Image(await asyncio.to_thread(made_by, "build.sh", suite))
    async with machine(image, simulator, ARTEFACTS / f"make-install-{suite}") as pi:
        await pi.power_on()
        before = await everything(pi)
        await pi.me.run("tar x", given=checkout())

        out = await pi.me.run("cd speakerd && sudo make install", timeout_s=BUILDING_S)
        assert out.splitlines()[-1] == "It has no key yet. Store it with: sudo speakerd key"
        await make_it_speak(pi)
        number = simulator.turns[-1].number

        mark, old = await pi.journal.mark(), await pi.root.run("readlink /opt/speakerd")
        await pi.me.run("echo '# newer' >>speakerd/speakerd/__init__.py")
        out = await pi.me.run("cd speakerd && sudo make install", timeout_s=BUILDING_S)
        assert "speakerd runs." in out
        assert "libraries of the version before" in out
        assert await pi.root.run("readlink /opt/speakerd") != old
        await remembers(pi, number, since=mark)
        await healthy(pi)

        await pi.me.run("cd speakerd && sudo make uninstall PURGE=1", timeout_s=300)
        await purged(pi, before)
        assert (await pi.root.ask("id speakerd")).code != 0


@pytest.mark.timeout(3600)
async def test_the_debian_package(trixie: Image, packages: Path, simulator: Simulator) -> None:
    async with machine(trixie, simulator, ARTEFACTS / "debian-package") as pi:
        await pi.power_on()
        before = await everything(pi)
        first, second = await pi.bring(packages)

        await pi.install(first)
        await make_it_speak(pi)
        number = simulator.turns[-1].number

        mark = await pi.journal.mark()
        await pi.install(second)
        assert (await pi.root.run("dpkg-query -W -f '${Version}' speakerd")) in second
        await pi.root.run(f"grep SPEAKERD_NEW {ENV_FILE}.example")
        await remembers(pi, number, since=mark)
        await healthy(pi)

        await pi.me.run("sudo apt-get purge -y speakerd", timeout_s=300)
        await purged(pi, before)
