"""An asound.conf in real alsa-lib, on a machine that has none of its cards.

alsa-lib reads a definition down to the card before it misses that, but not what stands beside it:
so the card is put in another way for a part of the trials.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_HW = re.compile(r'"hw:CARD=[^"]*"')
#: The last card that there could be.
_NO_CARD = "{ type hw card 31 }"
_SAMPLES = ("-t", "raw", "-f", "S16_LE", "-c", "1")
_SHARED = re.compile(r"^pcm\.(\w+) \{\n    type (?:dmix|dsnoop)\n.*?^\}$", re.MULTILINE | re.DOTALL)
#: What is said of a card that is not there, and of nothing else.
_MISSING = (
    "unable to open slave",
    "Cannot get card index for",
    "audio open error: No such file or directory",
    "audio open error: No such device",
)


class Alsa:
    """Programs of alsa-utils with a configuration of one's own below ``folder``."""

    def __init__(self, folder: Path, text: str) -> None:
        (folder / "asound.conf").write_text(text, encoding="utf-8")
        root = folder / "alsa.conf"
        root.write_text(f"</usr/share/alsa/alsa.conf>\n<{folder}/asound.conf>\n", encoding="utf-8")
        self._environ = {**os.environ, "ALSA_CONFIG_PATH": str(root), "HOME": str(folder)}

    def plays(self, pcm: str) -> subprocess.CompletedProcess[str]:
        """Half a second of silence, as speakerd plays."""
        return self._run("aplay", pcm, 24_000, "/dev/zero")

    def hears(self, pcm: str) -> subprocess.CompletedProcess[str]:
        """The same the other way round."""
        return self._run("arecord", pcm, 16_000, "/dev/null")

    def _run(
        self, program: str, pcm: str, rate_hz: int, file: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                program,
                "-q",
                "-D",
                pcm,
                *_SAMPLES,
                "-r",
                str(rate_hz),
                "-s",
                str(rate_hz // 2),
                file,
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env=self._environ,
        )


def complaints(folder: Path, text: str) -> list[str]:
    """What alsa-lib has against ``text``, apart from its cards that are not here."""
    found = []
    playing = set(_named(text, "dmix") + _named(text, "softvol"))
    for variant in (text, _HW.sub(_NO_CARD, text), _without_shared(text)):
        alsa = Alsa(folder, variant)
        for pcm in _pcms(variant):
            trials = (alsa.plays,) if pcm in playing else (alsa.plays, alsa.hears)
            for trial in trials if pcm == "default" or pcm in playing else (alsa.hears,):
                said = trial(pcm).stderr.splitlines()
                found += [line for line in said if line and not _is_missing_card(line)]
    return found


def rehearsal(text: str) -> str:
    """``text`` with nothing where it has the cards, and no control on them."""
    names = _named(text, "softvol")
    text = _without_shared(text)
    for name in names:
        text = re.sub(rf"^pcm\.{name} \{{.*?^\}}$", _null(name), text, flags=re.M | re.S)
    return text


def _without_shared(text: str) -> str:
    """Null where a card is shared: what is above it opens, down to a control of that card."""
    return _SHARED.sub(lambda match: _null(match[1]), text)


def _null(name: str) -> str:
    return f"pcm.{name} {{ type null }}"


def _named(text: str, kind: str) -> list[str]:
    return re.findall(rf"^pcm\.(\w+) \{{\n    type {kind}$", text, re.MULTILINE)


def _pcms(text: str) -> list[str]:
    return re.findall(r"^pcm\.!?(\w+) \{", text, re.MULTILINE)


def _is_missing_card(line: str) -> bool:
    return any(words in line for words in _MISSING)
