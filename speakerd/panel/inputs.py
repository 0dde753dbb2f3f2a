"""The kernel's input devices (keyboards, keypads, foot switches), without opening any.

Their names are in sysfs, where everybody may read them; /dev/input is for the group input.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Keys and buttons (KEY_* and BTN_* of linux/input-event-codes.h) have a bit each; 0: it has none.
_KEYS = "device/capabilities/key"


def named(wanted: str, root: Path = Path("/")) -> list[Path]:
    """The devices that ``wanted`` means: a path such as /dev/input/by-id/..., or a part of a name.

    Several have one name where a foot switch is a keyboard and a mouse at once. Upper and lower
    case are the same.
    """
    if wanted.startswith("/"):
        path = root / wanted.removeprefix("/")
        return [path] if path.exists() else []
    return [path for path, name in all_of(root) if wanted.lower() in name.lower()]


def all_of(root: Path = Path("/")) -> Iterator[tuple[Path, str]]:
    """Every device that has keys, with the name that it gives itself; some have none."""
    found = (root / "sys/class/input").glob("event*")
    for entry in sorted(found, key=lambda entry: int(entry.name.removeprefix("event"))):
        try:
            keys = (entry / _KEYS).read_text(encoding="ascii")
            name = (entry / "device/name").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it was pulled out just now
        if keys.strip("0 \n"):
            yield root / "dev/input" / entry.name, name.strip()
