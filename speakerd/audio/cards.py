"""The sound cards there are, as the kernel tells everybody: /proc/asound."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

#: "hw:1,0", "plughw:CARD=Device,DEV=0", "plug:'dmix:Device'": what follows may name a card.
_CARD = re.compile(r"(?:CARD=|:'?(?!CARD=))([A-Za-z0-9_-]+)")
_LISTED = re.compile(r"^ *(\d+) \[.*?\]: \S+ - (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class Card:
    """A sound card; ``id`` is its name in ALSA's PCM names, ``description`` what it calls itself.

    ``path`` is its directory in /proc/asound.
    """

    index: int
    id: str
    description: str
    path: Path

    def pcms(self, *, capture: bool) -> list[str]:
        """The names by which its devices are best opened: whatever number the card gets."""
        direction = "c" if capture else "p"
        numbers = sorted(int(path.name[3:-1]) for path in self.path.glob(f"pcm[0-9]*{direction}"))
        return [f"plughw:CARD={self.id},DEV={number}" for number in numbers]

    def __str__(self) -> str:
        """As it is named in a list."""
        return f"{self.id} ({self.description})" if self.description else self.id


def cards(proc: Path = PROC) -> list[Card]:
    """All of them, in the order of their numbers."""
    described = dict(_LISTED.findall(read(proc / "asound/cards")))
    found = []
    for path in proc.glob("asound/card[0-9]*"):
        number = path.name.removeprefix("card")
        name = read(path / "id").strip() or number
        found.append(Card(int(number), name, described.get(number, "").strip(), path))
    return sorted(found)


def cards_of(device: str, proc: Path = PROC) -> list[Card]:
    """Those that the ALSA PCM ``device`` names; none where it has no card in it that is there."""
    named = {match[1] for match in _CARD.finditer(device)}
    return [card for card in cards(proc) if {str(card.index), card.id} & named]


def read(path: Path) -> str:
    """A file of /proc; empty where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
