"""What the world hears of a speaker: the journal, systemd's status line, whoever subscribes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from speakerd.conversation import events as ev
from speakerd.conversation.effects import Notice
from speakerd.service import journal, wording
from speakerd.service.linklog import LinkLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from speakerd.conversation.core import Status
    from speakerd.conversation.ledger import TurnRecord
    from speakerd.errors import Failure
    from speakerd.service.notify import Notifier

log = logging.getLogger(__name__)


class Chronicle:
    """Tells what happens, as it happens; called in the loop's thread only.

    ``publish`` gives an event to the subscribers of the control socket.
    """

    def __init__(self, publish: Callable[[Mapping[str, object]], None], notifier: Notifier) -> None:
        self._publish = publish
        self._notifier = notifier
        self._link = LinkLog()
        self._seen: Status | None = None

    def ready(self) -> None:
        """The start is over."""
        self._notifier.ready()
        log.info("ready: hold the button and speak")

    def happened(self, event: ev.Event, status: Status) -> None:
        """The core has taken ``event``; ``status`` is what has become of it."""
        match event:
            case ev.DeviceReady(device):
                log.info("%s ready", device.value)
            case ev.DeviceLost(device, reason):
                log.warning("%s", wording.missing_line(device, reason))
            case ev.ConnectionOpened(generation):
                self._link.opened(generation, status)
            case ev.ConnectionClosed(generation, failure):
                self._link.closed(generation, failure)
            case _:
                pass

    def given_up(self, generation: int, failure: Failure) -> None:
        """We close that connection, or stop trying to open it, for this reason."""
        self._link.given_up(generation, failure)

    def told(self, notice: Notice) -> None:
        """The person hears of this by sound."""
        level = logging.INFO if notice is Notice.NO_REPLY else logging.WARNING
        journal.log("notice", wording.notice_line(notice), level=level, notice=notice.value)

    def turn_ended(self, record: TurnRecord) -> None:
        """A turn is over."""
        journal.log("turn", journal.turn_line(record), **journal.turn_fields(record))
        self._publish({"event": "turn", **journal.ledger(record)})
        self._link.turn_ended()

    def transcript(self, side: str, turn: int, text: str) -> None:
        """A piece of what was ``heard`` or ``spoken`` (the side)."""
        self._publish({"event": "transcript", "side": side, "turn": turn, "text": text})

    def reloaded(self, changed: Sequence[str], restart: Sequence[str]) -> None:
        """New settings count from now on; ``restart``: what has to wait for the next start."""
        for line in changed or ("nothing has changed",):
            journal.log("reload", f"reloaded: {line}")
        for line in restart:
            journal.log("reload", f"needs a restart: {line}", level=logging.WARNING)

    def status(self, status: Status) -> None:
        """What is going on now; the same again is not told."""
        if status == self._seen:
            return
        self._seen = status
        self._notifier.status(wording.status_line(status))
        self._publish({"event": "state", "state": status.state, "link": status.link})

    def as_dict(self, status: Status) -> dict[str, object]:
        """The status for programs, as docs/control-socket.md has it."""
        last = status.last_turn
        return {
            "state": status.state,
            "link": status.link,
            "context": status.context,
            "model": status.model,
            "turns": status.turns,
            "reconnects": status.reconnects,
            "without": list(status.without),
            "last_error": status.last_error,
            **dict(status.devices),
            "last_turn": journal.ledger(last) if last is not None else None,
        }
