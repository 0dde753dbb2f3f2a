"""The core's orders, carried out: a table from each to what the edges do for it."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speakerd.audio import earcons
from speakerd.audio.buffers import Utterance
from speakerd.audio.voice import MOST_NAMES
from speakerd.conversation import effects as fx
from speakerd.daemon.translate import chunk_bytes_of, utterance_bytes_of
from speakerd.live.sending import Text

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from speakerd.audio.answers import Answers
    from speakerd.config.settings import Settings
    from speakerd.daemon.chores import Chores
    from speakerd.daemon.clock import LocalClock
    from speakerd.daemon.devices import Devices
    from speakerd.daemon.hands import Hands
    from speakerd.live.edge import LiveEdge
    from speakerd.live.history import History
    from speakerd.service.chronicle import Chronicle
    from speakerd.service.state import ControlsStore, HandleStore
    from speakerd.service.timers import TimersStore
    from speakerd.service.usage import Tally

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Edges:
    """All that an order can be about."""

    devices: Devices
    live: LiveEdge
    hands: Hands
    chronicle: Chronicle
    history: History
    answers: Answers
    handle: HandleStore
    controls: ControlsStore
    timers: TimersStore
    clock: LocalClock
    tally: Tally
    chores: Chores


class Orders:
    """Carries orders out by ``edges``, and by ``settings``, which may be exchanged at any time.

    ``apply`` is called when the time has come to apply what was read anew, and ``read_out`` with a
    text that is to be read out in the next pause.
    """

    def __init__(
        self,
        edges: Edges,
        settings: Settings,
        apply: Callable[[], None],
        read_out: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self._read_out = read_out
        self._edges = edges
        self._apply = apply
        self._utterances: dict[int, Utterance] = {}

    def carry_out(self, order: fx.Effect) -> None:
        """Do it now; none of it blocks."""
        self._TABLE[type(order)](self, order)

    def _open_gate(self, order: fx.OpenGate) -> None:
        max_bytes, chunk_bytes = utterance_bytes_of(self.settings), chunk_bytes_of(self.settings)
        utterance = Utterance(order.turn, max_bytes, chunk_bytes)
        self._utterances[order.turn] = utterance
        self._edges.devices.microphone.open_gate(utterance, order.not_before)
        if self._edges.devices.camera is not None:
            self._edges.devices.camera.begin(order.turn, utterance.show)

    def _close_gate(self, order: fx.CloseGate) -> None:
        self._edges.devices.microphone.close_gate(order.turn, order.covering)
        self._close_eyes(order.turn)

    def _close_eyes(self, turn: int) -> None:
        if self._edges.devices.camera is not None:
            self._edges.devices.camera.end(turn)

    def _discard_utterance(self, order: fx.DiscardUtterance) -> None:
        self._close_eyes(order.turn)
        self._edges.devices.microphone.discard(order.turn)
        utterance = self._utterances.pop(order.turn, None)
        if utterance is not None:
            utterance.discard()

    def _expect_reply(self, order: fx.ExpectReply) -> None:
        self._edges.devices.speaker.expect(order.turn)
        self._edges.answers.expect(order.turn)

    def _finish_playback(self, order: fx.FinishPlayback) -> None:
        self._edges.devices.speaker.finish(order.turn)

    def _drop_playback(self, _order: fx.DropPlayback) -> None:
        self._edges.devices.speaker.drop()
        self._edges.answers.silenced()

    def _tell(self, order: fx.Tell) -> None:
        if order.journal:
            self._edges.chronicle.told(order.notice)
        if order.aloud:
            voice = self._edges.devices.voice
            spoken = voice.prompt(order.notice) if voice is not None else None
            self._edges.devices.speaker.play_clip(spoken or self._earcon(order.notice))

    def _play_cue(self, order: fx.PlayCue) -> None:
        self._edges.devices.speaker.play_clip(self._earcon(order.cue))

    def _earcon(self, sound: fx.Notice | fx.Cue) -> bytes:
        return earcons.render(sound, self.settings.earcon_volume)

    def _ring(self, order: fx.Ring) -> None:
        """An alarm is for being heard, also by whoever wants no other earcons."""
        volume = self.settings.earcon_volume or earcons.DEFAULT_VOLUME_PERCENT
        words = b"".join(filter(None, map(self._word, order.names[:MOST_NAMES])))
        bell = earcons.render(earcons.Earcon.TIMER, volume) if order.bell else b""
        self._edges.devices.speaker.play_clip(bell + words)

    def _word(self, name: str) -> bytes | None:
        voice = self._edges.devices.voice
        return voice.word(name) if voice is not None and name else None

    def _play_again(self, order: fx.PlayAgain) -> None:
        self._edges.devices.speaker.play_clip(*self._edges.answers.of(order.turn))

    def _play_tone(self, _order: fx.PlayTone) -> None:
        self._edges.devices.speaker.play_clip(earcons.tone())

    def _connect(self, order: fx.Connect) -> None:
        resuming = "resuming the conversation" if order.handle else "a fresh conversation"
        log.debug("connection %d to %s, %s", order.generation, order.model, resuming)
        self._edges.live.connect(
            order.generation, order.model, order.handle, order.without, self._edges.history.past()
        )

    def _disconnect(self, order: fx.Disconnect) -> None:
        if order.failure is not None:
            self._edges.chronicle.given_up(order.generation, order.failure)
        self._edges.live.disconnect(order.generation)

    def _deliver(self, order: fx.Deliver) -> None:
        what: Utterance | Text | None = self._utterances.get(order.turn)
        if order.text is not None:
            what = Text(order.text, order.read_out)
        if what is not None:
            self._edges.history.asked(order.turn, str(what) if isinstance(what, Text) else "")
            self._edges.live.deliver(order.generation, order.turn, what)

    def _run_tools(self, order: fx.RunTools) -> None:
        self._edges.hands.run(order)

    def _cancel_tools(self, order: fx.CancelTools) -> None:
        self._edges.hands.cancel(order.call_ids, told=order.told)

    def _save_handle(self, order: fx.SaveHandle) -> None:
        self._edges.chores.do(functools.partial(self._edges.handle.save, order.handle))

    def _mute(self, order: fx.Mute) -> None:
        self._edges.devices.microphone.mute(on=order.on)
        if order.told:
            self._edges.chronicle.mute(on=order.on)

    def _set_volume(self, order: fx.SetVolume) -> None:
        if self._edges.devices.volume is not None:
            self._edges.devices.volume.set(order.percent)

    def _step_volume(self, order: fx.StepVolume) -> None:
        if self._edges.devices.volume is not None:
            self._edges.devices.volume.step(order.percent)

    def _forgotten(self, order: fx.Forgotten) -> None:
        self._edges.history.forget()
        self._edges.answers.forget()
        if order.told:
            self._edges.chronicle.forgotten()

    def _keep_volume(self, order: fx.KeepVolume) -> None:
        self._edges.chores.do(self._edges.controls.saving(volume=order.percent))

    def _keep_mute(self, order: fx.KeepMute) -> None:
        self._edges.chores.do(self._edges.controls.saving(muted=order.on))

    def _keep_timers(self, order: fx.KeepTimers) -> None:
        names = dict.fromkeys(timer.name for timer in order.timers if timer.name)
        for name in list(names)[:MOST_NAMES]:
            self._word(name)  # it is made by the time it is needed
        ahead_s = self._edges.clock.ahead_s
        self._edges.chores.do(self._edges.timers.saving(order.timers, order.missed, ahead_s))

    def _timer_told(self, order: fx.TimerTold) -> None:
        timer = order.timer
        self._edges.chronicle.timer(timer, order.news)
        heard = order.news is fx.TimerNews.SILENCED
        if heard and timer.reminds and timer.name and self._word(timer.name) is None:
            self._read_out(timer.name)  # by the model: what it is to remind of must be said

    def _turn_ended(self, order: fx.TurnEnded) -> None:
        self._edges.chronicle.turn_ended(order.record)
        self._edges.history.ended(order.record)
        self._edges.answers.ended(order.record)
        self._edges.chores.do(self._edges.tally.save)

    def _count_late(self, order: fx.CountLate) -> None:
        self._edges.tally.add_late(order.model, order.usage)
        self._edges.chores.do(self._edges.tally.save)

    def _apply_settings(self, _order: fx.ApplySettings) -> None:
        self._apply()

    def _postponed(self, _order: fx.Postponed) -> None:
        """Whoever asked is answered by the command itself."""

    def _refused(self, _order: fx.Refused) -> None:
        """Whoever asked is answered by the command itself."""

    _TABLE: dict[type, Callable[[Any, Any], None]] = {  # noqa: RUF012 - never changed
        fx.OpenGate: _open_gate,
        fx.CloseGate: _close_gate,
        fx.DiscardUtterance: _discard_utterance,
        fx.ExpectReply: _expect_reply,
        fx.FinishPlayback: _finish_playback,
        fx.DropPlayback: _drop_playback,
        fx.Tell: _tell,
        fx.PlayCue: _play_cue,
        fx.Ring: _ring,
        fx.PlayAgain: _play_again,
        fx.PlayTone: _play_tone,
        fx.Connect: _connect,
        fx.Disconnect: _disconnect,
        fx.Deliver: _deliver,
        fx.RunTools: _run_tools,
        fx.CancelTools: _cancel_tools,
        fx.SaveHandle: _save_handle,
        fx.Forgotten: _forgotten,
        fx.Mute: _mute,
        fx.SetVolume: _set_volume,
        fx.StepVolume: _step_volume,
        fx.KeepVolume: _keep_volume,
        fx.KeepMute: _keep_mute,
        fx.KeepTimers: _keep_timers,
        fx.TimerTold: _timer_told,
        fx.TurnEnded: _turn_ended,
        fx.CountLate: _count_late,
        fx.ApplySettings: _apply_settings,
        fx.Postponed: _postponed,
        fx.Refused: _refused,
    }
