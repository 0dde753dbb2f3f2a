"""What survives a restart, in the state directory: the conversation, the volume and the mute."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import TYPE_CHECKING

from speakerd.conversation.events import SessionHandle
from speakerd.service import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

_log = logging.getLogger(__name__)

FILE_NAME = "conversation.json"
CONTROLS_FILE_NAME = "controls.json"


class HandleStore:
    """Keeps one session handle in ``directory``, or in memory only where that is None.

    Never raises: without its memory the speaker still speaks. The file has mode 0600, for the
    handle opens the conversation to whoever has the key.
    """

    def __init__(self, directory: Path | None) -> None:
        self._path = directory / FILE_NAME if directory is not None else None
        self._kept: SessionHandle | None = None
        self._complained = False

    def load(self) -> SessionHandle | None:
        """The handle as it was last saved; None where there is none, or none that can be read."""
        if self._path is None:
            return self._kept
        try:
            self._kept = _decoded(json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            self._kept = None
        except (OSError, ValueError, RecursionError) as error:
            self._kept = None
            reason = error.strerror if isinstance(error, OSError) else error
            _log.warning("%s is ignored, the conversation begins anew: %s", self._path, reason)
        return self._kept

    def save(self, handle: SessionHandle | None) -> None:
        """Keep ``handle`` in place of what was; None forgets it."""
        if handle is not None and handle == self._kept and not self._complained:
            return  # SD cards wear
        self._kept = handle
        if self._path is None:
            return
        try:
            if handle is None:
                self._path.unlink(missing_ok=True)
                files.sync(self._path.parent)
            else:
                kept = {"model": handle.model, "handle": handle.value}
                files.replace(self._path, json.dumps(kept))
        except OSError as error:
            if not self._complained:
                _log.warning(
                    "%s cannot be written, a restart will go on from what was saved last: %s",
                    self._path,
                    error.strerror,
                )
            self._complained = True
        else:
            self._complained = False


@dataclasses.dataclass(frozen=True, slots=True)
class Controls:
    """As a person has left them: ``volume`` in percent, None where nobody has set it yet."""

    volume: int | None = None
    muted: bool = False


class ControlsStore:
    """Keeps the controls in ``directory``, or in memory only where that is None. Never raises."""

    def __init__(self, directory: Path | None) -> None:
        self._path = directory / CONTROLS_FILE_NAME if directory is not None else None
        self._kept = Controls()
        self._complained = False

    @property
    def kept(self) -> Controls:
        """As they were loaded or saved last."""
        return self._kept

    def load(self) -> Controls:
        """As they were last saved; the first ones where there are none, or none to be read."""
        if self._path is None:
            return self._kept
        try:
            self._kept = _decoded_controls(json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            self._kept = Controls()
        except (OSError, ValueError, RecursionError) as error:
            self._kept = Controls()
            reason = error.strerror if isinstance(error, OSError) else error
            _log.warning("%s is ignored, volume and mute begin anew: %s", self._path, reason)
        return self._kept

    def saving(self, *, volume: int | None = None, muted: bool | None = None) -> Callable[[], None]:
        """Take what has changed; what is returned writes it, and may be called in any thread."""
        kept = self._kept
        self._kept = new = Controls(
            kept.volume if volume is None else volume, kept.muted if muted is None else muted
        )
        return lambda: self._write(new, known=new == kept)

    def _write(self, controls: Controls, *, known: bool) -> None:
        if self._path is None or (known and not self._complained):
            return  # SD cards wear
        try:
            files.replace(self._path, json.dumps(dataclasses.asdict(controls)))
        except OSError as error:
            if not self._complained:
                _log.warning(
                    "%s cannot be written, volume and mute will be as they were after a restart: "
                    "%s",
                    self._path,
                    error.strerror,
                )
            self._complained = True
        else:
            self._complained = False


def _decoded_controls(content: Any) -> Controls:  # noqa: ANN401 - whatever JSON can hold
    match content:
        case {"volume": bool()}:
            raise ValueError("it is not what speakerd has written")
        case {"volume": int(volume), "muted": bool(muted)} if 0 <= volume <= 100:
            return Controls(volume, muted)
        case {"volume": None, "muted": bool(muted)}:
            return Controls(None, muted)
        case _:
            raise ValueError("it is not what speakerd has written")


def _decoded(content: Any) -> SessionHandle:  # noqa: ANN401 - whatever JSON can hold
    match content:
        case {"model": str(model), "handle": str(value)} if model and value:
            return SessionHandle(value, model)
        case _:
            raise ValueError("it is not a saved conversation")
