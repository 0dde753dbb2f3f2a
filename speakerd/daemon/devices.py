"""The microphone, the speaker and the button: made from the settings, and made anew by a reload."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from speakerd.audio.microphone import Microphone
from speakerd.audio.speaker import Speaker
from speakerd.conversation.events import Device
from speakerd.panel.button import GpioButton

if TYPE_CHECKING:
    from collections.abc import Callable

    from speakerd.audio.interfaces import MicrophonePort, SpeakerPort
    from speakerd.config.settings import Settings
    from speakerd.conversation.events import Event

    Post = Callable[[Event], None]
    #: With what tells, when it is the event's turn, whether it is of any interest still.
    PostWhile = Callable[[Event, Callable[[], bool]], None]


log = logging.getLogger(__name__)


class Edge(Protocol):
    """What all devices have in common; a button has no more."""

    def start(self) -> None:
        """Begin to look after the device; must not block."""
        ...

    def stop(self) -> None:
        """Let go of it, within 1 s."""
        ...


def _microphone(settings: Settings, post: Post) -> MicrophonePort:
    return Microphone(settings.capture_device, preroll_ms=settings.preroll_ms, post=post)


def _speaker(settings: Settings, post: Post) -> SpeakerPort:
    return Speaker(settings.playback_device, prebuffer_ms=settings.prebuffer_ms, post=post)


def _button(settings: Settings, post: Post) -> Edge:
    return GpioButton(settings.button_pin, post)


@dataclass(frozen=True, slots=True)
class Makers:
    """How each device is made; the real ones unless others are given."""

    microphone: Callable[[Settings, Post], MicrophonePort] = _microphone
    speaker: Callable[[Settings, Post], SpeakerPort] = _speaker
    button: Callable[[Settings, Post], Edge] = _button


class _Voice:
    """What one edge has to say, as long as it has not been replaced by another one."""

    def __init__(self, post: PostWhile) -> None:
        self._post = post
        self.replaced = False

    def __call__(self, event: Event) -> None:
        self._post(event, self._counts)

    def _counts(self) -> bool:
        return not self.replaced


class Devices:
    """The three devices of one speaker.

    What they have to say is posted to ``post``, with a function that is False from the moment on in
    which the device has been replaced: a press on the old button has no release.
    """

    def __init__(self, makers: Makers, settings: Settings, post: PostWhile) -> None:
        self._makers = makers
        self._voices = {device: _Voice(post) for device in Device}
        self._post = post
        self._swapping: dict[Device, asyncio.Task[None]] = {}  # the last one of each
        self._stopped = False
        self.microphone = makers.microphone(settings, self._voices[Device.MICROPHONE])
        self.speaker = makers.speaker(settings, self._voices[Device.SPEAKER])
        self.button = makers.button(settings, self._voices[Device.BUTTON])

    def start(self) -> None:
        """Begin to look after them."""
        self.microphone.start()
        self.speaker.start()
        self.button.start()

    async def stop(self) -> None:
        """Let go of all of them, within 1 s; of one that is being made anew, a little later."""
        self._stopped = True
        edges: tuple[Edge, ...] = (self.microphone, self.speaker, self.button)
        stopping = (self._let_go(edge) for edge in edges)
        await asyncio.gather(*stopping, *self._swapping.values())

    def stalls_s(self) -> dict[str, float]:
        """For how many seconds each has made no progress although it believes that it runs.

        The button is not among them: that nothing happens is what it is there for.
        """
        return {
            Device.MICROPHONE.value: self.microphone.stalled_s(),
            Device.SPEAKER.value: self.speaker.stalled_s(),
        }

    def reopen(self, device: Device, settings: Settings) -> None:
        """Make it anew; it gets the orders from now on, and begins when the old one is gone.

        To be called between turns: nothing is on its way to the old one then.
        """
        old: Edge
        new: Edge
        self._voices[device].replaced = True
        post = self._voices[device] = _Voice(self._post)
        match device:
            case Device.MICROPHONE:
                old, new = self.microphone, self._makers.microphone(settings, post)
                self.microphone = new
            case Device.SPEAKER:
                old, new = self.speaker, self._makers.speaker(settings, post)
                self.speaker = new
            case Device.BUTTON:
                old, new = self.button, self._makers.button(settings, post)
                self.button = new
        before = self._swapping.get(device)
        self._swapping[device] = asyncio.create_task(self._swap(old, new, before))

    async def _swap(self, old: Edge, new: Edge, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        await self._let_go(old)
        if not self._stopped:
            new.start()

    async def _let_go(self, edge: Edge) -> None:
        try:
            await asyncio.to_thread(edge.stop)
        except Exception:
            log.exception("a device could not be let go of")  # what follows does not depend on it
