"""A virtual Raspberry Pi, and what a person who lives with it does: press, speak, listen, look."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speakerd.audio.pcm import CAPTURE_RATE_HZ, SAMPLE_BYTES
from speakerd.config.sources import DEFAULT_CONTROL_SOCKET
from speakerd.service import client
from speakerd.simulator.records import Outcome
from tests.virtual_pi.journal import Entry, Journal
from tests.virtual_pi.qemu import Image, Qemu, powered
from tests.virtual_pi.shell import LOOK_S, Shell
from tests.virtual_pi.sound import as_wav, room, sounding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speakerd.simulator.server import Simulator

#: How the machine calls this host (image/build.sh)
HOST = "gemini.test"
ENV_FILE = "/etc/speakerd/speakerd.env"
AUTHORITY = "/etc/speakerd/simulator-ca.pem"
#: The daemon has one end of each loopback card, person and room the other one.
MICROPHONE, SPEAKER = "plughw:CARD=Mic,DEV=1", "plughw:CARD=Dac,DEV=0"
#: The mouth can convert: a reload may have opened the microphone at dmix' rate, which was still in
#: the other end of its loopback. As a rule there is nothing to convert.
MOUTH, EAR = "plughw:CARD=Mic,DEV=0", "hw:CARD=Dac,DEV=1"

_BOOT_S = 300.0
MIC, DAC = 0, 1
#: What a test has running on the machine
_EAR, _ROOM, _EYE, _ECHO = "ear", "room", "eye", "echo"
_UNITS = (_EAR, _ROOM, _EYE, _ECHO)
#: By so much of its beginning a sound is known, before a short pause can have torn it apart.
_RECOGNIZED_BYTES = 2400
_CARDS = "/sys/bus/platform/drivers/snd_aloop"


class Pi:
    """One machine. ``root`` is for what a person cannot do and a test must; ``me`` has sudo."""

    def __init__(self, qemu: Qemu, simulator: Simulator, folder: Path, artefacts: Path) -> None:
        self.qemu = qemu
        self.simulator = simulator
        self.artefacts = artefacts
        self._control = folder / "control"
        self.root = Shell(
            *(qemu.ssh_port, qemu.image.key, folder),
            forward=f"{self._control}:{DEFAULT_CONTROL_SOCKET}",
        )
        self.me = Shell(qemu.ssh_port, qemu.image.key, folder, "pi")
        self.journal = Journal(self.root, artefacts / "journal.txt")
        self._boot_id = ""
        self._following = contextlib.AsyncExitStack()

    # --- power

    async def power_on(self) -> None:
        """Boot, until root can log in."""
        await self.qemu.power_on()
        await self._come_up()

    async def reboot(self) -> None:
        """As ``sudo reboot`` does."""
        await self._hang_up("systemctl --no-block reboot")
        await self._come_up()

    async def cut_the_power(self) -> None:
        """And give it back at once. The server has found out before the machine is up again."""
        await self.qemu.reset()
        if self.simulator.open_connections:
            self.simulator.drop()
        await self._hang_up()
        await self._come_up()

    async def _hang_up(self, last_words: str = "") -> None:
        """The connections are of no use any more."""
        if last_words:
            with contextlib.suppress(ConnectionError):  # it may be gone before it answers
                await self.root.run(last_words)
        await self._following.aclose()
        for shell in (self.root, self.me):
            await shell.hang_up()

    async def _come_up(self) -> None:
        try:
            async with asyncio.timeout(_BOOT_S):
                while not await self._has_booted():
                    await self.root.hang_up()
        except TimeoutError as late:
            raise AssertionError(f"it does not boot; see {self.artefacts}/console.txt") from late
        await self.me.up()
        await self._following.enter_async_context(self.journal.followed())

    async def _has_booted(self) -> bool:
        """Wait for a login; a machine that is going down may still let one in."""
        await self.root.up()
        try:
            now = await self.root.run("cat /proc/sys/kernel/random/boot_id")
        except (ConnectionError, TimeoutError):
            return False
        before, self._boot_id = self._boot_id, now
        return now != before

    async def close(self) -> None:
        """Nobody is interested any more."""
        await self._hang_up()

    # --- the service

    @property
    def gemini(self) -> str:
        """The lines of an env file that lead to the simulator."""
        return f"GOOGLE_GEMINI_BASE_URL={self.simulator.base_url}\nSSL_CERT_FILE={AUTHORITY}\n"

    def options(self, **more: str) -> str:
        """An env file for this machine's cards and the simulator, with more lines.

        Without words: they take the machine half a minute, and a short sound is known exactly.
        """
        lines = {
            "SPEAKERD_CAPTURE_DEVICE": MICROPHONE,
            "SPEAKERD_PLAYBACK_DEVICE": SPEAKER,
            "SPEAKERD_PROMPTS": "false",
        }
        return self.gemini + "".join(f"{name}={text}\n" for name, text in (lines | more).items())

    async def configure(self, **more: str) -> None:
        """Write the env file, as a person with an editor does, and what the simulator needs."""
        await self.root.put(self.simulator.certificate.read_bytes(), AUTHORITY)
        await self.root.run(f"cat >{ENV_FILE}", given=self.options(**more).encode())

    async def bring(self, folder: Path) -> list[str]:
        """Copy packages to the home of ``me``; their paths there, the older version first."""
        paths = []
        for file in sorted(folder.iterdir(), key=lambda file: len(file.name)):  # VERSION, VERSION.1
            await self.me.put(file.read_bytes(), file.name)
            paths.append(f"/home/pi/{file.name}")
        return paths

    async def install(self, package: str) -> None:
        """As docs/installing.md says."""
        await self.me.run(f"sudo apt-get install -y {package}", timeout_s=900)

    async def store_key(self) -> None:
        """``sudo speakerd key``, with one that the simulator accepts."""
        key = self.simulator.options.keys[0].encode() + b"\n"
        assert "stored in" in await self.me.run("sudo speakerd key", given=key, timeout_s=120)

    async def set_up(self, package: str) -> None:
        """Install it, name the cards and the simulator, store the key: it runs."""
        await self.install(package)
        await self.configure()
        mark = await self.journal.mark()
        await self.store_key()
        await self.ready(since=mark)

    async def calm(self) -> None:
        """Its own options, and an idle service with all its devices, whatever was before."""
        await self.root.run(f"systemctl stop {' '.join(_UNITS)} 2>&1; pkill aplay; button release")
        wanted = await self.root.run(f"cat {ENV_FILE}") == self.options()
        if wanted and (await self.unit("ActiveState"))["ActiveState"] == "active":
            status = await self.status()
            ready = all(status[device] == "ready" for device in ("microphone", "speaker", "button"))
            if ready and status["state"] != "error":
                await self.command("stop")
                await self.idle()
                return
        await self.configure()
        await self.restart()

    async def reload(self, **more: str) -> None:
        """Write the env file, and let the daemon live by it (:meth:`calm` puts it back)."""
        await self.configure(**more)
        assert (await self.command("reload"))["applied"]

    async def be_patient(self) -> None:
        """Let sentences wait: how soon a machine connects after a boot is not what is tested."""
        await self.reload(SPEAKERD_PATIENCE_S="100")

    async def parts(self, *names: str) -> None:
        """Wait until the daemon has these parts of docs/control-socket.md."""
        async with asyncio.timeout(120.0):
            while not {(name, "ready") for name in names} <= (await self.status())["parts"].items():
                await asyncio.sleep(LOOK_S)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await self.reach("idle")

    async def reach(self, state: str) -> None:
        """Wait until the daemon is in this state of docs/control-socket.md."""
        async with asyncio.timeout(120.0):
            while (await self.status())["state"] != state:
                await asyncio.sleep(LOOK_S)

    async def pull(self, card: int) -> None:
        """Unplug a sound card: its driver lets go of it."""
        await self.root.run(f"echo snd_aloop.{card} >{_CARDS}/unbind")

    async def plug(self, card: int) -> None:
        """Plug it in again, if it is not."""
        await self.root.run(
            f"[ -e {_CARDS}/snd_aloop.{card} ] || echo snd_aloop.{card} >{_CARDS}/bind"
        )

    async def unit(self, *names: str) -> dict[str, str]:
        """Properties of the unit, as ``systemctl show`` gives them."""
        asked = await self.root.run(f"systemctl show speakerd -p {','.join(names)}")
        return dict(line.split("=", 1) for line in asked.splitlines())

    async def pid(self) -> int:
        """The daemon's process."""
        return int((await self.unit("MainPID"))["MainPID"])

    async def restart(self) -> None:
        """Until it is ready, and its devices are."""
        mark = await self.journal.mark()
        again = "systemctl reset-failed speakerd; systemctl restart speakerd"
        await self.root.run(again, timeout_s=300.0)
        await self.ready(since=mark)

    async def ready(self, *, since: int) -> None:
        """Wait until the daemon says so, and has its microphone, speaker and button."""
        await self.journal.wait("ready", since=since)
        for device in ("microphone", "speaker", "button"):
            await self.journal.wait("device", since=since, device=device, state="ready")

    async def command(self, command: str, **arguments: object) -> dict[str, Any]:
        """The daemon's answer to one of docs/control-socket.md, asked from here.

        The same from a shell takes this machine seconds: Python has to start. Raises
        UnavailableError where there is no daemon; AssertionError where it refuses.
        """
        message = {"command": command, **arguments}
        answer = await asyncio.to_thread(client.request, self._control, message, 120.0)
        assert answer.pop("ok") is True, answer
        return answer

    async def status(self) -> dict[str, Any]:
        """As docs/control-socket.md has it."""
        return await self.command("status")

    # --- the person

    async def press(self) -> None:
        """The button, down."""
        await self.root.run("button press")

    async def release(self) -> None:
        """The button, up."""
        await self.root.run("button release")

    async def say(self, pcm: bytes) -> Entry:
        """Hold the button, speak, let go, hear the answer out; its line in the journal.

        ``pcm`` is S16_LE mono at 16 kHz.
        """
        mark = await self.journal.mark()
        await self.speak(pcm)
        return await self.journal.wait("turn", since=mark)

    async def say_for_good(self, pcm: bytes) -> int:
        """Say it, until the handle that remembers it is on the disk; its number at the simulator.

        What comes before that, as a power cut a moment after the last word, may cost the turn.
        """
        turn = await self.say(pcm)
        assert turn["SPEAKERD_OUTCOME"] == "answered", turn
        asked = self.simulator.turns[-1]
        await self.simulator.wait_for(lambda: asked.outcome is Outcome.COMPLETE, 120.0)
        (connection,) = (c for c in self.simulator.connections if c.number == asked.connection)
        handle = connection.handles[-1]  # issued as it was completed
        await self.root.until(f"grep -q {handle} /var/lib/speakerd/conversation.json")
        return asked.number

    async def speak(
        self,
        pcm: bytes,
        *,
        press: str = "button press",
        release: str = "button release",
    ) -> None:
        """Hold the button, speak, let go."""
        # People press first and then speak; and snd-aloop may lose its last period as it drains.
        breath = bytes(SAMPLE_BYTES * CAPTURE_RATE_HZ // 2)
        pause = breath[: len(breath) // 2]
        await self.root.run(
            f"cat >/run/words.wav; {press} && aplay -q -D {MOUTH} /run/words.wav; said=$?;"
            f" {release}; exit $said",
            given=as_wav(breath + pcm + pause, CAPTURE_RATE_HZ),
        )

    @contextlib.asynccontextmanager
    async def speaking(self, pcm: bytes) -> AsyncIterator[None]:
        """The same while something else happens: by its end all is said, and the button let go."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.speak(pcm), name="a person who speaks")
            yield

    async def answering(self) -> None:
        """Wait until it speaks, and some of what was sent for it can be heard."""
        await self.reach("speaking")
        asked = self.simulator.turns[-1]
        await self.simulator.wait_for(lambda: len(sounding(bytes(asked.reply))) > 24_000, 120.0)

    async def arriving(self, *, since: int) -> None:
        """Wait until the first words of a turn have arrived; ``since``: the turns before it."""
        await self.simulator.wait_for(
            lambda: (
                len(self.simulator.turns) > since and len(self.simulator.turns[-1].chunk_bytes) > 10
            ),
            120.0,
        )

    @contextlib.asynccontextmanager
    async def noise(self) -> AsyncIterator[None]:
        """A room that is not quite silent, as rooms are; the loopback's silence is all zeros."""
        await self.root.put(room(5.0), "/run/room.raw")
        await self.root.run(
            f"systemd-run -q --collect --unit={_ROOM} sh -c 'while cat /run/room.raw; do :; done | "
            f"aplay -q -t raw -f S16_LE -r 16000 -D {MOUTH}'"
        )
        try:
            yield
        finally:
            why = f"journalctl -u {_ROOM} --no-pager >&2"  # it has ended by itself
            await self.root.run(f"systemctl stop {_ROOM} || {{ {why}; exit 1; }}")

    @contextlib.asynccontextmanager
    async def listening(
        self, name: str, *, rate_hz: int = 24_000, channels: int = 1
    ) -> AsyncIterator[bytearray]:
        """Record what comes out of the DAC; it is there when the context has ended.

        S16_LE. ``name`` is that of the WAV file among the artefacts. Whoever opens a loopback card
        first fixes its rate and its channels; the other has to convert.
        """
        heard = bytearray()
        await self.root.run(
            f"systemd-run -q --collect --unit={_EAR} --nice=-10 "
            f"arecord -q -D {EAR} -f S16_LE -r {rate_hz} -c {channels} --buffer-time=1000000 "
            "-t raw /run/heard.raw"
        )
        try:
            await self.root.until("grep -q RUNNING /proc/asound/Dac/pcm1c/sub0/status")
            yield heard
        finally:
            await self.root.ask(f"systemctl stop {_EAR}")  # which a lost card has ended before
            heard += await self.root.get("/run/heard.raw")
            await self.root.run("rm /run/heard.raw")
            (self.artefacts / f"{name}.wav").write_bytes(as_wav(bytes(heard), rate_hz, channels))

    async def hears(self, pcm: bytes) -> None:
        """Wait, while :meth:`listening` at its rate, until that has begun to be heard."""
        beginning = sounding(pcm)[:_RECOGNIZED_BYTES]
        assert beginning
        async with asyncio.timeout(120.0):
            while beginning not in await self.root.get("/run/heard.raw"):
                await asyncio.sleep(LOOK_S)


@contextlib.asynccontextmanager
async def machine(image: Image, simulator: Simulator, artefacts: Path) -> AsyncIterator[Pi]:
    """A machine that has not been powered on yet, with a fresh disk (:func:`qemu.powered`)."""
    shutil.rmtree(artefacts, ignore_errors=True)
    artefacts.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="pi-") as folder:
        async with powered(image, Path(folder), artefacts) as qemu:
            pi = Pi(qemu, simulator, Path(folder), artefacts)
            try:
                yield pi
            finally:
                await pi.close()
