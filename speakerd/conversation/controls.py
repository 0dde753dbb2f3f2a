"""What a person sets beside talking: the volume and the mute, by whatever button or command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.keys import Deed, Keys
from speakerd.conversation.rules import FOREVER
from speakerd.conversation.status import READY, STARTING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from speakerd.conversation.dialogue import Dialogue
    from speakerd.conversation.rules import Rules

#: The names of the parts that are the ALSA mixer, and a keypad or a foot switch.
VOLUME, KEYPAD = "volume", "keypad"


def volume_trouble(parts: Iterable[tuple[str, str]]) -> str:
    """Why the volume is not known, by what is said of the parts."""
    return dict(parts).get(VOLUME, "SPEAKERD_MIXER_CONTROL leaves it alone")


class Controls:
    """The keys, the volume and the mute.

    ``out`` collects the orders; ``stop()`` and ``forget()`` are the core's.

    ``parts`` says of each part that the speaker can do without that it is ready, or why not.
    """

    def __init__(
        self,
        rules: Rules,
        dialogue: Dialogue,
        out: list[fx.Effect],
        stop: Callable[[], None],
        forget: Callable[[], None],
    ) -> None:
        self._rules = rules
        self._dialogue = dialogue
        self._out = out
        self._stop = stop
        self._forget = forget
        self._keys = Keys(rules)
        self.parts: dict[str, str] = {}
        self.volume: int | None = None  # in percent; None: it is not known
        self._keep_at = FOREVER  # when the volume is to be kept
        self._percent = 0  # the volume as it was told last, on or off
        self._wished = False  # a person has changed the volume, and it is not heard of yet
        self._switched_off = False  # the microphone, by the mute switch
        self._unread = False  # the mute switch has not been seen yet: who knows how it is
        self._muted = False  # by anything else

    @property
    def muted(self) -> bool:
        """Whether the microphone is off because somebody wants it so, or may want it so."""
        return self._muted or self._switched_off or self._unread

    def reload(self, rules: Rules) -> None:
        """Live by ``rules`` from now on."""
        self._rules = rules
        self._keys.reload(rules)

    def deadline(self) -> float:
        """When :meth:`wake` has something to do; infinity for never."""
        return min(self._keys.deadline(), self._keep_at)

    def wake(self) -> None:
        """Do what is due."""
        now = self._dialogue.now
        self._do(self._keys.wake(now))
        if now >= self._keep_at:
            self._keep()

    def close(self) -> None:
        """Keep what must be kept, and do no more: the daemon ends."""
        self._keys = Keys(self._rules)
        if self._keep_at < FOREVER:
            self._keep()

    def _keep(self) -> None:
        self._keep_at = FOREVER
        self._out.append(fx.KeepVolume(self._percent))

    def handle(self, event: ev.Event) -> None:
        """Take one of the facts that are about it."""
        self._HANDLERS[type(event)](self, event)

    # --- the parts

    def _part_ready(self, event: ev.PartReady) -> None:
        self.parts[event.name] = READY

    def _part_lost(self, event: ev.PartLost) -> None:
        self.parts[event.name] = event.reason
        self._lose(event.name)

    def _part_gone(self, event: ev.PartGone) -> None:
        self.parts.pop(event.name, None)
        self._lose(event.name)
        if event.name in {key.value for key in ev.Key}:
            self._do(self._keys.begin(ev.Key(event.name), pressed=False))
        if event.name == ev.Key.MUTE.value:
            self._mute(unread=False)

    def _lose(self, name: str) -> None:
        if name == VOLUME:
            if self._keep_at < FOREVER:
                self._keep()
            self.volume, self._wished = None, False
        elif name == KEYPAD:
            for key in ev.PadKey:
                self._do(self._keys.begin(key, pressed=False))

    # --- the keys and the knob

    def _key_edge(self, event: ev.KeyEdge) -> None:
        self._do(self._keys.edge(event.key, self._dialogue.now, pressed=event.pressed))

    def _key_awaited(self, event: ev.KeyAwaited) -> None:
        known = self.parts.get(event.key.value) == READY
        self.parts[event.key.value] = STARTING
        if event.key is not ev.Key.MUTE:
            self._do(self._keys.begin(event.key, pressed=False))
        elif not known:
            self._mute(unread=True, told=False)

    def _key_found(self, event: ev.KeyFound) -> None:
        self.parts[event.key.value] = READY
        deeds = list(self._keys.begin(event.key, pressed=event.pressed))
        if event.key is ev.Key.MUTE and self._unread:  # how it is found is no news
            self._mute(switched_off=event.pressed, unread=False, told=False)
        else:
            self._do(deeds)

    def _key_lost(self, event: ev.KeyLost) -> None:
        self.parts[event.key.value] = event.reason
        if event.key is not ev.Key.MUTE:  # a switch that was closed is believed to be so still
            self._do(self._keys.begin(event.key, pressed=False))
        elif self._unread:
            self.parts[event.key.value] += "; until it can be read the microphone stays off"

    def _knob_turned(self, event: ev.KnobTurned) -> None:
        self._step(event.steps)

    def _do(self, deeds: Iterable[Deed]) -> None:
        for deed in deeds:
            match deed:
                case Deed.LOUDER:
                    self._step(1)
                case Deed.SOFTER:
                    self._step(-1)
                case Deed.STOP:
                    self._stop()
                case Deed.FORGET:
                    self._forget()
                case Deed.TURN_MUTE if self._switched_off or self._unread:
                    self._dialogue.cue(fx.Cue.MUTED)  # and so it stays
                case Deed.TURN_MUTE:
                    self._mute(muted=not self._muted)
                case Deed.MUTE | Deed.UNMUTE:
                    self._mute(switched_off=deed is Deed.MUTE)

    # --- the mute

    def mute(self) -> None:
        """Switch the microphone off."""
        self._mute(muted=True)

    def _mute_requested(self, event: ev.MuteRequested) -> None:
        on = not self.muted if event.on is None else event.on
        if self._switched_off and not on:  # what it says nobody else can undo
            self._out.append(fx.Refused("the mute switch is closed: open it"))
        elif self._unread and not on:
            why = self.parts[ev.Key.MUTE.value]
            self._out.append(fx.Refused(f"the mute switch cannot be read: {why}"))
        else:
            self._mute(muted=on)

    def _mute(
        self,
        *,
        switched_off: bool | None = None,
        unread: bool | None = None,
        muted: bool | None = None,
        told: bool = True,
    ) -> None:
        """Change what is given; ``told``: it is news to the person."""
        before = self.muted
        if switched_off is not None:
            self._switched_off = switched_off
        if unread is not None:
            self._unread = unread
        if muted is not None and muted != self._muted:
            self._muted = muted
            self._out.append(fx.KeepMute(muted))
        if self.muted == before:
            return
        if self.muted:
            self._dialogue.mute()
        self._out.append(fx.Mute(self.muted, told))
        if told:
            self._dialogue.cue(fx.Cue.MUTED if self.muted else fx.Cue.UNMUTED)

    # --- the volume

    def _volume_requested(self, event: ev.VolumeRequested) -> None:
        self._change(fx.SetVolume(event.percent), "but will be as soon as it can be")

    def _volume_stepped(self, event: ev.VolumeStepped) -> None:
        self._change(fx.StepVolume(event.percent), "try again later")

    def _change(self, order: fx.SetVolume | fx.StepVolume, later: str) -> None:
        """Pass it on; ``later`` is what whoever asked is told of a volume that is missing now."""
        if not self._pass_on(order):
            now = f" now, {later}" if VOLUME in self.parts else ""
            why = volume_trouble(self.parts.items())
            self._out.append(fx.Refused(f"the volume cannot be set{now}: {why}"))

    def _pass_on(self, order: fx.SetVolume | fx.StepVolume) -> bool:
        """Whether there is a volume now; one that is missing is tried again because of it."""
        if VOLUME in self.parts:
            self._out.append(order)
        self._wished = self.volume is not None
        return self._wished

    def _volume_changed(self, event: ev.VolumeChanged) -> None:
        if event.percent != self._percent or self.volume is None:
            self._percent = event.percent
            self._keep_at = self._dialogue.now + self._rules.keep_volume_s
        self.volume = 0 if event.off else event.percent
        if self.volume == 0 and self._keep_at < FOREVER:
            self._keep()  # at once: who asks how loud it is cannot see what it was before
        if self._wished and not self._dialogue.playing.clips:
            self._dialogue.cue(fx.Cue.VOLUME)
        self._wished = False

    def _step(self, steps: int) -> None:
        self._pass_on(fx.StepVolume(steps * self._rules.volume_step))

    _HANDLERS: dict[type, Callable[[Any, Any], None]] = {  # noqa: RUF012 - never changed
        ev.PartReady: _part_ready,
        ev.PartLost: _part_lost,
        ev.PartGone: _part_gone,
        ev.KeyEdge: _key_edge,
        ev.KeyAwaited: _key_awaited,
        ev.KeyFound: _key_found,
        ev.KeyLost: _key_lost,
        ev.KnobTurned: _knob_turned,
        ev.MuteRequested: _mute_requested,
        ev.VolumeRequested: _volume_requested,
        ev.VolumeStepped: _volume_stepped,
        ev.VolumeChanged: _volume_changed,
    }
