"""``make pi-shell``: a shell on a virtual Raspberry Pi with this checkout's speakerd.

The Live API is a simulator here on the host, until the shell ends; then so does the machine.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.virtual_pi.pi import EAR, HOST, MOUTH, machine
from tests.virtual_pi.qemu import Image, made_by

_HELP = """
You are pi on a virtual Raspberry Pi, and sudo asks for no password. It ends with this shell.

  sudo speakerd status --watch          what speakerd does; then try: sudo speakerd doctor
  journalctl -u speakerd -f             what it says
  sudo button press | release | hold 2  the push button on GPIO 17
  aplay -D {mouth} FILE    speak into the microphone
  arecord -D {ear} FILE    listen to the DAC
"""


async def _shell(folder: Path) -> int:
    image = Image(made_by("build.sh", "trixie"))
    packages = made_by("package.sh", "trixie")
    async with (
        Simulator(SimulatorOptions(name=HOST)) as simulator,
        machine(image, simulator, folder) as pi,
    ):
        print("Booting", flush=True)
        await pi.power_on()
        print("Installing speakerd", flush=True)
        await pi.set_up((await pi.bring(packages))[0])
        print(_HELP.format(mouth=MOUTH, ear=f"plug{EAR}"))
        shell = await asyncio.create_subprocess_exec(*pi.me.interactive)
        return await shell.wait()


def main() -> int:
    """The exit code is that of the shell."""
    with tempfile.TemporaryDirectory(prefix="pi-shell-") as folder:
        try:
            return asyncio.run(_shell(Path(folder)))
        except subprocess.CalledProcessError as error:
            return error.returncode  # which has said why


sys.exit(main())
