"""Who has a sound card open, as the kernel tells everybody: /proc/asound.

Each open substream has its ``owner_pid`` in ``card<n>/pcm<m><p or c>/sub<k>/status`` (kernel:
sound/core/pcm.c). That is the thread that has opened it. Where /proc hides other users' processes
(``ProtectProc=invisible``) it is all there is to know, and so it is once that process has gone.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from speakerd.audio.cards import PROC, cards, cards_of, read

if TYPE_CHECKING:
    from pathlib import Path

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
    found: dict[Holder, None] = {}  # an ordered set: many hold several substreams
    for card in cards_of(device, proc) or cards(proc):
        for status in sorted(card.path.glob(f"pcm*{direction}/sub*/status")):
            owner = _OWNER.search(read(status))
            if owner is not None:
                found[_holder(int(owner[1]), card.id, proc)] = None
    return list(found)


def _holder(thread: int, card: str, proc: Path) -> Holder:
    group = _THREAD_GROUP.search(read(proc / str(thread) / "status"))
    pid = int(group[1]) if group is not None else thread
    # a name is the process' own choice: it must not end the line
    name = " ".join(read(proc / str(pid) / "comm").split())
    return Holder(pid, "".join(filter(str.isprintable, name)), card)
