"""A program that stands in for espeak-ng: any voice of some languages, and every text sounds alike.

It takes the arguments that speakerd gives, and misbehaves as a test says.
"""

from __future__ import annotations

import functools
import math
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RATE_HZ = 22_050
#: What espeak-ng 1.51 writes into the header for a pipe: it cannot know.
UNKNOWN_BYTES = 0x7FFFF000

_PROGRAM = """#!/bin/sh
here=${0%/*}
if [ "$1" = --version ]; then cat "$here/version"; exit; fi
voice=
while [ $# -gt 0 ]; do
    if [ "$1" = -v ]; then voice=$2; fi
    shift
done
read -r text
printf "%s|%s\\n" "$voice" "$text" >>"$here/spoken"
. "$here/behaviour"
case $voice in
    en*|de*|fr*|es*|it*|pt*|nl*|NL*|pl*) exec cat "$here/speech.wav" ;;
    *) echo "Error: The specified espeak-ng voice does not exist." >&2; exit 1 ;;
esac
"""


def wav(
    samples: Sequence[int],
    rate_hz: int = RATE_HZ,
    size_bytes: int = UNKNOWN_BYTES,
    channels: int = 1,
) -> bytes:
    """A WAV file of 16 bits as a program writes it into a pipe: its size is a guess."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", (size_bytes + 36) % 2**32, b"WAVE"),
        *(b"fmt ", 16, 1, channels, rate_hz, rate_hz * 2 * channels, 2 * channels, 16),
        *(b"data", size_bytes),
    )
    return head + struct.pack(f"<{len(samples)}h", *samples)


def sine(
    pitch_hz: float, duration_s: float, rate_hz: int = RATE_HZ, peak: float = 9000
) -> list[int]:
    """A sine of so many whole samples."""
    step = 2 * math.pi * pitch_hz / rate_hz
    return [round(peak * math.sin(step * index)) for index in range(int(duration_s * rate_hz))]


@functools.cache
def _usual() -> bytes:
    """What it says unless told otherwise; a sine takes long to make."""
    silence = [0] * int(0.3 * RATE_HZ)
    return wav(silence + sine(440, 0.4) + silence)


class FakeEspeak:
    """The program, in ``directory``. What it says is 0.4 s of a sine between 0.3 s of silence."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        self.program = str(directory / "espeak-ng")
        self.behave("")
        self.be_version("1.51")
        self.say(_usual())
        (directory / "espeak-ng").write_text(_PROGRAM)
        (directory / "espeak-ng").chmod(0o700)

    def behave(self, script: str) -> None:
        """Run ``script`` (of sh; $voice, $text and $here are known) before it speaks."""
        (self._directory / "behaviour").write_text(script)

    def be_version(self, number: str) -> None:
        """Be upgraded."""
        (self._directory / "version").write_text(f"eSpeak NG text-to-speech: {number}\n")

    def say(self, output: bytes) -> None:
        """Give ``output`` for any text."""
        (self._directory / "speech.wav").write_bytes(output)

    def noted(self, name: str) -> str:
        """What the script has written into the file ``name`` beside it; empty: nothing yet."""
        path = self._directory / name
        return path.read_text() if path.exists() else ""

    @property
    def spoken(self) -> list[tuple[str, str]]:
        """The voices and texts that it was asked for."""
        lines = self.noted("spoken").splitlines()
        return [(voice, text) for voice, _, text in (line.partition("|") for line in lines)]
