"""Where spoken notices are kept from one start to the next: a file for each, in one directory.

It is a cache: it may vanish, be read-only, full or full of something else. A file is believed if
its checksum says that it is whole and that it was made for this very key.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

_SUFFIX = ".prompt"
_NEW = ".prompt-new"
#: Half a minute of sound: more is none of ours.
_MOST_BYTES = 1_500_000
_DIGEST_BYTES = hashlib.sha256().digest_size


class Keeping:
    """What is kept in ``directory``, which is made when something is. Blocks on the disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, key: str) -> bytes | None:
        """The sound that was put there for ``key``; None if there is none that is whole."""
        path = self._path(key)
        try:
            if not path.is_file() or path.stat().st_size > _MOST_BYTES:
                return None
            content = path.read_bytes()
        except OSError:
            return None  # as good as not there: it is made again, and putting it tells the reason
        digest, pcm = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        return pcm if pcm and digest == _digest(key, pcm) else None

    def put(self, key: str, pcm: bytes) -> None:
        """Keep ``pcm``. Raises OSError. A power cut may undo it, and spoils nothing."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, new = tempfile.mkstemp(_NEW, dir=self._directory)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_digest(key, pcm) + pcm)
        Path(new).replace(self._path(key))

    def keep_only(self, keys: set[str]) -> None:
        """Remove what was kept for any other key, of another language say. Raises OSError."""
        wanted = {self._path(key) for key in keys}
        for path in self._directory.glob("*.prompt*"):
            if path.suffix in {_SUFFIX, _NEW} and path not in wanted:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._directory / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}{_SUFFIX}"


def _digest(key: str, pcm: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + pcm).digest()
