"""The devices and parts of a speaker: made from the settings, and made anew by a reload."""

from __future__ import annotations

import asyncio
import enum
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from speakerd.audio.controls import NO_CONTROL, mixer_of
from speakerd.audio.microphone import Microphone
from speakerd.audio.speaker import Speaker
from speakerd.audio.voice import Voice
from speakerd.audio.volume import Volume
from speakerd.conversation import events as ev
from speakerd.conversation.events import Device, Key, PadKey, Trigger
from speakerd.daemon import eyes
from speakerd.panel.button import GpioButton
from speakerd.panel.keypad import EvdevKeypad
from speakerd.panel.keys import GpioKeys
from speakerd.panel.knob import GpioKnob
from speakerd.panel.leds import Lamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Set

    from speakerd.audio.interfaces import MicrophonePort, SpeakerPort
    from speakerd.config.settings import Settings
    from speakerd.conversation.effects import Notice
    from speakerd.conversation.events import Event
    from speakerd.conversation.light import Light
    from speakerd.daemon.eyes import CameraPort

    Post = Callable[[Event], None]
    #: With what tells, when it is the event's turn, whether it is of any interest still.
    PostWhile = Callable[[Event, Callable[[], bool]], None]


log = logging.getLogger(__name__)


class Part(enum.Enum):
    """What is made, and made anew, as one; the first three are the core's devices."""

    MICROPHONE = Device.MICROPHONE.value
    SPEAKER = Device.SPEAKER.value
    BUTTON = Device.BUTTON.value
    LIGHT = "light"
    KEYS = "keys"
    KNOB = "knob"
    KEYPAD = "keypad"
    VOLUME = "volume"
    VOICE = "voice"
    CAMERA = eyes.NAME


class Edge(Protocol):
    """What all of them have in common; a button has no more."""

    def start(self) -> None:
        """Begin to look after it; must not block."""
        ...

    def stop(self) -> None:
        """Let go of it, within 1 s."""
        ...


class LightPort(Edge, Protocol):
    """Shows what the speaker does."""

    def show(self, light: Light) -> None:
        """Show this from now on; must not block."""
        ...


class VolumePort(Edge, Protocol):
    """Sets the volume, also before it is started."""

    def set(self, percent: int, *, muted: bool = False) -> None:
        """Make it so loud, or have it so loud when it is switched on; must not block."""
        ...

    def step(self, delta_percent: int) -> None:
        """Make it louder or softer by so much; must not block."""
        ...

    def look_again(self) -> None:
        """Look for the mixer's controls anew; must not block."""
        ...


class VoicePort(Edge, Protocol):
    """Has sentences for what went wrong."""

    def prompt(self, notice: Notice) -> bytes | None:
        """The sentence (S16_LE mono at 24 kHz), None where there is none; must not block."""
        ...

    def word(self, name: str) -> bytes | None:
        """The sound of a name, as that of a sentence; None: not yet, or never; must not block."""
        ...


def _microphone(settings: Settings, post: Post) -> MicrophonePort:
    return Microphone(settings.capture_device, preroll_ms=settings.preroll_ms, post=post)


def _speaker(settings: Settings, post: Post) -> SpeakerPort:
    return Speaker(
        settings.playback_device,
        prebuffer_ms=settings.prebuffer_ms,
        prebuffer_max_ms=settings.prebuffer_max_ms,
        wake_ms=settings.wake_ms,
        keep_awake_s=settings.keep_awake_s,
        post=post,
    )


def _button(settings: Settings, post: Post) -> Edge:
    return GpioButton(settings.button_pin, post)


def _light(settings: Settings, post: Post) -> LightPort | None:
    if not settings.led_pins:
        return None
    name = Part.LIGHT.value
    return Lamp(
        settings.led_pins,
        smooth=settings.led_smooth,
        brightness=settings.led_brightness / 100,
        active_high=settings.led_active_high,
        ready=lambda: post(ev.PartReady(name)),
        lost=lambda reason: post(ev.PartLost(name, reason)),
    )


def keys_of(settings: Settings) -> dict[Key, tuple[int, str]]:
    """The further buttons that are wanted: for each its line, and the variable that names it."""
    pins = {
        Key.SECOND: (settings.second_button_pin, "SPEAKERD_SECOND_BUTTON_PIN"),
        Key.VOLUME_UP: (settings.volume_up_pin, "SPEAKERD_VOLUME_UP_PIN"),
        Key.VOLUME_DOWN: (settings.volume_down_pin, "SPEAKERD_VOLUME_DOWN_PIN"),
        Key.MUTE: (settings.mute_pin, "SPEAKERD_MUTE_PIN"),
    }
    return {key: (pin, option) for key, (pin, option) in pins.items() if pin is not None}


def _keys(settings: Settings, post: Post) -> Edge | None:
    wanted = keys_of(settings)
    for key in Key:
        if key not in wanted:
            post(ev.PartGone(key.value))
    return GpioKeys(
        wanted,
        initial=lambda key, pressed: post(ev.KeyFound(key, pressed)),
        edge=lambda key, pressed: post(ev.KeyEdge(key, pressed)),
        ready=lambda _key: None,  # it has been found
        lost=lambda key, reason: post(ev.KeyLost(key, reason)),
    )


def _knob(settings: Settings, post: Post) -> Edge | None:
    if not settings.knob_pins:
        return None
    a, b = settings.knob_pins
    name = Part.KNOB.value
    return GpioKnob(
        (a, b),
        lambda steps: post(ev.KnobTurned(steps)),
        ready=lambda: post(ev.PartReady(name)),
        lost=lambda reason: post(ev.PartLost(name, reason)),
    )


#: What the keys of a keypad do where SPEAKERD_KEYPAD_KEYS does not say it; any other is to talk.
_WHAT_KEYS_SAY: dict[str, PadKey | Trigger] = {
    "KEY_VOLUMEUP": PadKey.VOLUME_UP,
    "KEY_VOLUMEDOWN": PadKey.VOLUME_DOWN,
    "KEY_MICMUTE": PadKey.MUTE,
    "KEY_MUTE": PadKey.STOP,  # whoever presses it wants silence
    "KEY_STOP": PadKey.STOP,
    "KEY_STOPCD": PadKey.STOP,
    "KEY_ESC": PadKey.STOP,
}
_TALK = "talk"


def _keypad(settings: Settings, post: Post) -> Edge | None:
    if not settings.keypad:
        return None
    name = Part.KEYPAD.value
    post(ev.PartGone(name))  # what was down on one that is replaced has no release
    chosen = dict(pair.split("=") for pair in settings.keypad_keys)
    keys = {key: Trigger.KEYPAD if use == _TALK else PadKey(use) for key, use in chosen.items()}

    def edge(use: PadKey | Trigger, pressed: bool) -> None:
        post(ev.ButtonEdge(pressed, use) if isinstance(use, Trigger) else ev.KeyEdge(use, pressed))

    return EvdevKeypad(
        settings.keypad,
        keys or _WHAT_KEYS_SAY,
        None if keys else Trigger.KEYPAD,
        edge=edge,
        ready=lambda: post(ev.PartReady(name)),
        lost=lambda reason: post(ev.PartLost(name, reason)),
    )


def _volume(settings: Settings, post: Post) -> VolumePort | None:
    if settings.mixer_control == NO_CONTROL:
        return None
    return Volume(
        settings.mixer or mixer_of(settings.playback_device),
        settings.mixer_control,
        listener=_VolumeListener(post),
        highest_percent=settings.volume_max,
    )


def _voice(settings: Settings, _post: Post) -> VoicePort | None:
    if not settings.prompts:
        return None
    caches = os.environ.get("CACHE_DIRECTORY", "").split(":")  # systemd.exec(5)
    cache = Path(caches[0]) if caches[0] else None
    language = next(iter(settings.language), "")
    return Voice(language, settings.earcon_volume, cache, tell=log.warning)


class _VolumeListener:
    def __init__(self, post: Post) -> None:
        self._post = post

    def ready(self) -> None:
        self._post(ev.PartReady(Part.VOLUME.value))

    def changed(self, percent: int, muted: bool) -> None:
        self._post(ev.VolumeChanged(percent, off=muted))

    def refused(self, reason: str) -> None:
        log.warning("the volume cannot be set: %s", reason)

    def lost(self, reason: str) -> None:
        self._post(ev.PartLost(Part.VOLUME.value, reason))


@dataclass(frozen=True, slots=True)
class Makers:
    """How each is made, None where it is not wanted; the real ones unless others are given."""

    microphone: Callable[[Settings, Post], MicrophonePort] = _microphone
    speaker: Callable[[Settings, Post], SpeakerPort] = _speaker
    button: Callable[[Settings, Post], Edge] = _button
    light: Callable[[Settings, Post], LightPort | None] = _light
    keys: Callable[[Settings, Post], Edge | None] = _keys
    knob: Callable[[Settings, Post], Edge | None] = _knob
    keypad: Callable[[Settings, Post], Edge | None] = _keypad
    volume: Callable[[Settings, Post], VolumePort | None] = _volume
    voice: Callable[[Settings, Post], VoicePort | None] = _voice
    camera: Callable[[Settings, Post], CameraPort | None] = eyes.camera


class _Outlet:
    """What one edge has to say, as long as it has not been replaced by another one."""

    def __init__(self, post: PostWhile) -> None:
        self._post = post
        self.replaced = False

    def __call__(self, event: Event) -> None:
        self._post(event, self._counts)

    def _counts(self) -> bool:
        return not self.replaced


class Devices:
    """All parts of one speaker.

    What they have to say is posted to ``post``, with a function that is False from the moment on in
    which the part has been replaced: a press on the old button has no release.
    """

    def __init__(self, makers: Makers, settings: Settings, post: PostWhile) -> None:
        self._makers = makers
        self._post = post
        self._outlets: dict[Part, _Outlet] = {}
        self._swapping: asyncio.Task[None] | None = None  # the last one
        self._stopped = False
        self._edges: dict[Part, Edge | None] = {}
        for part in Part:
            self._make(part, settings)

    def _make(self, part: Part, settings: Settings) -> Edge | None:
        outlet = self._outlets[part] = _Outlet(self._post)
        edge: Edge | None = getattr(self._makers, part.name.lower())(settings, outlet)
        self._edges[part] = edge
        if edge is None:
            outlet(ev.PartGone(part.value))
        return edge

    @property
    def microphone(self) -> MicrophonePort:
        """The microphone."""
        return cast("MicrophonePort", self._edges[Part.MICROPHONE])

    @property
    def speaker(self) -> SpeakerPort:
        """The speaker."""
        return cast("SpeakerPort", self._edges[Part.SPEAKER])

    @property
    def light(self) -> LightPort | None:
        """The light, where there is one."""
        return cast("LightPort | None", self._edges[Part.LIGHT])

    @property
    def volume(self) -> VolumePort | None:
        """The volume, where it is not to be left alone."""
        return cast("VolumePort | None", self._edges[Part.VOLUME])

    @property
    def voice(self) -> VoicePort | None:
        """The voice, where failures are to be explained by it."""
        return cast("VoicePort | None", self._edges[Part.VOICE])

    @property
    def camera(self) -> CameraPort | None:
        """The camera, where there is one."""
        return cast("CameraPort | None", self._edges[Part.CAMERA])

    def start(self) -> None:
        """Begin to look after them."""
        for part, edge in self._edges.items():
            if edge is not None and part is not Part.VOICE:
                edge.start()

    def start_voice(self) -> None:
        """Let it prepare what it may have to say: it takes a small Pi half a minute, once."""
        if self.voice is not None and not self._stopped:
            self.voice.start()

    async def stop(self) -> None:
        """Let go of all of them, within 1 s; of those that are being made anew, a little later."""
        self._stopped = True
        await self._let_go(self._edges.values())
        if self._swapping is not None:
            await self._swapping

    def happened(self, event: Event) -> None:
        """What one part may want to know of another: a softvol is there once it was played to."""
        if event == ev.DeviceReady(Device.SPEAKER) and self.volume is not None:
            self.volume.look_again()

    def stalls_s(self) -> dict[str, float]:
        """For how many seconds each has made no progress although it believes that it runs.

        The button and the like are not among them: that nothing happens is what they are there for.
        """
        return {
            Device.MICROPHONE.value: self.microphone.stalled_s(),
            Device.SPEAKER.value: self.speaker.stalled_s(),
        }

    def reopen(self, parts: Set[Part], settings: Settings) -> None:
        """Make them anew; they get the orders from now on, and begin when the old ones are gone.

        All old ones: what one lets go of, such as a pin, may be what another one wants. To be
        called between turns: nothing is on its way to the old ones then.
        """
        wanted = [part for part in Part if part in parts]
        old = [self._edges[part] for part in wanted]
        for part in wanted:
            self._outlets[part].replaced = True
        new = [self._make(part, settings) for part in wanted]
        self._swapping = asyncio.create_task(self._swap(old, new, self._swapping))

    async def _swap(
        self,
        old: Iterable[Edge | None],
        new: Iterable[Edge | None],
        before: asyncio.Task[None] | None,
    ) -> None:
        if before is not None:
            await before
        await self._let_go(old)
        for edge in new:
            if edge is not None and not self._stopped:
                _start(edge)

    async def _let_go(self, edges: Iterable[Edge | None]) -> None:
        stopping = (asyncio.to_thread(_stop, edge) for edge in edges if edge is not None)
        await asyncio.gather(*stopping)


def _start(edge: Edge) -> None:
    try:
        edge.start()
    except Exception:
        log.exception("a device could not be looked after")  # so too


def _stop(edge: Edge) -> None:
    try:
        edge.stop()
    except Exception:
        log.exception("a device could not be let go of")  # what follows does not depend on it
