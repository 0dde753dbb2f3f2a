"""What the sound cards have recorded and played, for the turn it is about.

What is about a turn that the speaker may not play any longer comes to nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speakerd.conversation import events as ev
from speakerd.conversation.turn import TurnInput, TurnState

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.conversation.dialogue import Dialogue
    from speakerd.conversation.memory import Turn

#: The states in which an answer is heard.
_HEARD = {TurnState.SPEAKING, TurnState.REPLYING}


class Sound:
    """The facts of capture and playback."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue

    def handle(self, event: ev.Event) -> None:
        """Take one of the facts that are about it."""
        self._HANDLERS[type(event)](self, event)

    def _xrun(self, event: ev.Xrun) -> None:
        if self._dialogue.turn is None or self._dialogue.state is TurnState.IDLE:
            return
        record = self._dialogue.turn.record
        if event.device is ev.Device.SPEAKER:
            record.underruns += 1
        else:
            record.overruns += 1

    def _capture_started(self, event: ev.CaptureStarted) -> None:
        self._dialogue.captured(event.turn)

    def _capture_ended(self, event: ev.CaptureEnded) -> None:
        if (turn := self._dialogue.turns.find(event.turn)) is not None:
            turn.record.utterance_s = event.duration_s

    def _playback_started(self, event: ev.PlaybackStarted) -> None:
        if (turn := self._playing(event.turn)) is not None:
            turn.record.first_sample_at = turn.record.first_sample_at or self._dialogue.now
            self._sounding(turn)

    def _playback_starved(self, event: ev.PlaybackStarved) -> None:
        if (turn := self._playing(event.turn)) is not None:
            self._dialogue.playing.reply_ended(self._dialogue.now)
            turn.silent_since = None if turn.finishing else self._dialogue.now

    def _playback_resumed(self, event: ev.PlaybackResumed) -> None:
        if (turn := self._playing(event.turn)) is not None:
            turn.record.gaps += turn.silent_since is not None
            self._sounding(turn)

    def _playback_drained(self, event: ev.PlaybackDrained) -> None:
        if (turn := self._playing(event.turn)) is None:
            return
        self._dialogue.playing.reply_ended(self._dialogue.now)
        turn.record.reply_s = event.duration_s
        turn.record.drained_at = self._dialogue.now
        if turn.repeats is not None and self._dialogue.state in _HEARD:
            self._dialogue.telling.play_again(turn.repeats)
            turn.repeats = None
        elif not self._dialogue.playing.again:
            self._all_heard(turn)

    def _all_heard(self, turn: Turn) -> None:
        if turn.cut:
            self._dialogue.step(TurnInput.PLAYED_CUT)
        elif turn.turn_done:
            self._dialogue.step(TurnInput.PLAYED)
        else:
            self._dialogue.step(TurnInput.PLAYED_EARLY)

    def _notice_ended(self, event: ev.NoticeEnded) -> None:
        if event.drops is None or event.drops == self._dialogue.telling.drops:
            self._dialogue.playing.clip_ended(self._dialogue.now)
        playing, turn = self._dialogue.playing, self._dialogue.expected
        if playing.again and not playing.clips:
            playing.again = False
            if turn is not None and not playing.reply:
                self._all_heard(turn)

    def _playing(self, number: int) -> Turn | None:
        """The turn of that number, if it is the one that the speaker may play."""
        turn = self._dialogue.expected
        return turn if turn is not None and turn.number == number else None

    def _sounding(self, turn: Turn) -> None:
        turn.silent_since = None
        self._dialogue.playing.reply = True
        self._dialogue.step(TurnInput.PLAYBACK_RESUMED)

    _HANDLERS: dict[type, Callable[[Any, Any], None]] = {  # noqa: RUF012 - never changed
        ev.Xrun: _xrun,
        ev.CaptureStarted: _capture_started,
        ev.CaptureEnded: _capture_ended,
        ev.PlaybackStarted: _playback_started,
        ev.PlaybackStarved: _playback_starved,
        ev.PlaybackResumed: _playback_resumed,
        ev.PlaybackDrained: _playback_drained,
        ev.NoticeEnded: _notice_ended,
    }
