"""Who has a sound card open, as the kernel tells everybody: /proc/asound.

Each open substream has its ``owner_pid`` in ``card<n>/pcm<m><p or c>/sub<k>/status`` (kernel:
sound/core/pcm.c). That is the thread that has opened it. Where /proc hides other users' processes
(``ProtectProc=invisible``) it is all there is to know, and so it is once that process has gone.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")

#: "hw:1,0", "plughw:CARD=Device,DEV=0", "plug:'dmix:Device'": what follows may name a card.
_CARD = re.compile(r"(?:CARD=|:'?(?!CARD=))([A-Za-z0-9_-]+)")
_OWNER = re.compile(r"^owner_pid\s*:\s*([1-9][0-9]*)\s*$", re.MULTILINE)
_THREAD_GROUP = re.compile(r"^Tgid:\s*([1-9][0-9]*)\s*$", re.MULTILINE)


class Holder(NamedTuple):
    """A process that has some PCM of ``card`` (its id, such as Device) open."""

    pid: int
    name: str  # "" where it is hidden
    card: str

    @property
    def ourselves(self) -> bool:
        """Whether it is this very process."""
        return self.pid == os.getpid()

    def __str__(self) -> str:
        """As it is named in a sentence."""
        if self.ourselves:
            return "speakerd itself"
        return f"{self.name} (process {self.pid})" if self.name else f"process {self.pid}"


def holders(device: str, direction: str, proc: Path = PROC) -> list[Holder]:
    """Who holds the card that the ALSA PCM ``device`` names, in the order of the cards.

    ``direction`` is "c" (capture) or "p" (playback). Where the name has no card in it that is
    there, as in "default", all cards are looked at. What cannot be read is left out.
    """
    cards = {path: _card_id(path) for path in sorted(proc.glob("asound/card[0-9]*"))}
    named = {word for match in _CARD.finditer(device) for word in (match[1], f"card{match[1]}")}
    chosen = [path for path, name in cards.items() if {path.name, name} & named]
    found: dict[Holder, None] = {}  # an ordered set: many hold several substreams
    for card in chosen or cards:
        for status in sorted(card.glob(f"pcm*{direction}/sub*/status")):
            owner = _OWNER.search(_text(status))
            if owner is not None:
                found[_holder(int(owner[1]), cards[card], proc)] = None
    return list(found)


def _card_id(card: Path) -> str:
    return _text(card / "id").strip() or card.name.removeprefix("card")


def _holder(thread: int, card: str, proc: Path) -> Holder:
    group = _THREAD_GROUP.search(_text(proc / str(thread) / "status"))
    pid = int(group[1]) if group is not None else thread
    # a name is the process' own choice: it must not end the line
    name = " ".join(_text(proc / str(pid) / "comm").split())
    return Holder(pid, "".join(filter(str.isprintable, name)), card)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
