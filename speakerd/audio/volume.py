"""The volume: one thread that sets a control of an ALSA mixer, and tells what others make of it.

The mixer's control is the truth: other programs and people at ``alsamixer`` may turn it as well,
and a step goes from where it is. The thread sleeps until the mixer or somebody here has something
for it; nothing wakes it regularly but a mixer that cannot be opened, which is tried again as any
device is. A card without a fitting control is watched until it gets one: that of ``softvol`` comes
when a sound is first played through it.

When a mixer comes back (unplugged, or its driver loaded anew), the volume is made what it was, or
what was wished for meanwhile. Before that is done it is not told, so that nobody takes what the
control has for what somebody wants. The kernel does not tell that a locked control is free again
(sound/core/control.c, ``snd_ctl_elem_unlock`` and ``snd_ctl_release``): it is tried, as the mixer.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from speakerd.audio.controls import choose, why_none
from speakerd.audio.mixer import LockedError, open_mixer
from speakerd.audio.pcm import retry_delays_s
from speakerd.audio.scale import Scale
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from speakerd.audio.controls import Control
    from speakerd.audio.mixer import Element, Mixer

_LOG = logging.getLogger(__name__)

_STOP_TIMEOUT_S = 0.8
_STEADY_S = 10.0  # a mixer that has been there for so long is tried again soon when it is lost
#: alsa-lib's softvol adds its control first and then its decibels, which are read only once.
_SETTLE_S = 0.3
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


@dataclass(frozen=True, slots=True)
class VolumeState:
    """What the control is now: 0 to 100 percent, and whether its switch is off."""

    percent: int
    muted: bool = False


class VolumeListener(Protocol):
    """Is told about the volume, by the volume's thread, in order. None of it may block or raise."""

    def ready(self) -> None:
        """The control is there; ``changed`` follows."""
        ...

    def changed(self, percent: int, muted: bool) -> None:
        """What it is now: at the beginning, after each order, and when others have changed it."""
        ...

    def refused(self, reason: str) -> None:
        """An order came to nothing; the volume is there: once for each reason until one does."""
        ...

    def lost(self, reason: str) -> None:
        """There is no volume that can be set, and why: once for each reason until it is ready."""
        ...


@dataclass(frozen=True, slots=True)
class _Wish:
    percent: int | None  # None: from what the mixer has
    delta_percent: int = 0
    muted: bool = False  # only what was muted before is muted again, and no step switches it on


class Volume:
    """The volume of ``mixer`` (see :func:`~speakerd.audio.controls.mixer_of`).

    ``control`` names its control, as :func:`~speakerd.audio.controls.choose` takes it. ``wanted``
    is set as soon as there is one; with None it is left as it is. Nothing here sets more than
    ``highest_percent``, but what another program sets is left alone until the next order. The
    methods may be called from any thread and do not block.
    """

    def __init__(
        self,
        mixer: str,
        control: str = "",
        *,
        listener: VolumeListener,
        wanted: int | None = None,
        highest_percent: int = 100,
        open_mixer: Callable[[str], Mixer] = open_mixer,
        retry_delays_s: Callable[[], Iterator[float]] = retry_delays_s,
    ) -> None:
        self._mixer = mixer
        self._control = control
        self._listener = listener
        self._highest_percent = highest_percent
        self._open_mixer = open_mixer
        self._retry_delays_s = retry_delays_s
        self._lock = threading.Lock()  # of what follows
        self._wish = None if wanted is None else _Wish(wanted)
        self._look = False
        self._stopping = False
        self._waker = -1  # an eventfd, which the thread waits for beside the mixer
        # of the thread:
        self._thread: threading.Thread | None = None
        self._state: VolumeState | None = None  # as told
        self._aim: VolumeState | None = None  # what a mixer that comes back is made to have
        self._chosen = ""  # the control, by name and index
        self._found: dict[str, int] = {}  # the raw volume of those that were chosen, before
        self._told: dict[str, str] = {}  # the reasons for lost and refused

    @property
    def state(self) -> VolumeState | None:
        """What the volume is, as it was told last; None while there is none."""
        return self._state

    def start(self) -> None:
        """Begin to look after the mixer."""
        self._waker = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="volume", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let go of the mixer, within 1 s, and leave the volume as it is.

        A thread that hangs in alsa-lib is not waited for; it says and sets nothing any more.
        """
        with self._lock:
            self._stopping = True
            self._wake()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def set(self, percent: int, *, muted: bool = False) -> None:
        """Make it ``percent``, at most the highest, and switch it on; ``muted`` or at 0, off."""
        with self._lock:
            self._wish = _Wish(percent, muted=muted)
            self._wake()

    def step(self, delta_percent: int) -> None:
        """Make it louder or softer than it is, at least by one step of the control.

        What is muted is switched on. A mixer that is lost is tried at once, and if it stays so,
        nothing comes of it: whoever cannot hear how loud it is turns too far.
        """
        with self._lock:
            wish = self._wish or _Wish(None)
            self._wish = replace(wish, delta_percent=wish.delta_percent + delta_percent)
            self._wake()

    def look_again(self) -> None:
        """Open the mixer anew, now: there may be other controls, as after a first sound."""
        with self._lock:
            self._look = True
            self._wake()

    def _wake(self) -> None:
        if self._waker >= 0:
            os.eventfd_write(self._waker, 1)

    # --- the thread

    def _run(self) -> None:
        try:
            self._look_after_mixer()
        finally:
            with self._lock:
                os.close(self._waker)
                self._waker = -1

    def _look_after_mixer(self) -> None:
        delays = self._retry_delays_s()
        while not self._stopping:
            began = time.monotonic()
            with self._lock:
                self._look = False
            try:
                with contextlib.closing(self._open_mixer(self._mixer)) as mixer:
                    self._use(mixer)
            except DeviceError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - a dead thread is a knob that turns nothing
                _LOG.exception("the volume's thread failed; it goes on")
                reason = f"the mixer {self._mixer}: {error!r}"
            else:
                continue
            if self._stopping:
                return
            self._lose(reason)
            if time.monotonic() - began > _STEADY_S:
                delays = self._retry_delays_s()
            self._wait((), next(delays))

    def _use(self, mixer: Mixer) -> None:
        """Look after an open mixer until it is to be opened anew; raises when it is lost."""
        found = mixer.controls()
        if self._stopping:
            return
        control = choose(found, self._control)
        if control is None:
            self._wait_for_control(mixer)
            return
        element = mixer.element(control)
        if str(control) != self._chosen:
            self._chosen = str(control)
            self._found.setdefault(self._chosen, element.raw())
            self._hand_on()
        scale = Scale(*element.raw_range, element.db_of, self._highest_percent)
        obeyed = self._obey(element, scale)
        self._put_back(mixer, (each for each in found if str(each) != self._chosen))
        if self._state is None:
            _LOG.debug("the volume is %s of the mixer %s", control, self._mixer)
            self._told.pop("lost", None)
            self._listener.ready()
        while not self._stopping:
            self._tell(element, scale, even_if_known=obeyed)
            self._wait(mixer.descriptors())
            if self._leaving:
                return
            mixer.update()
            obeyed = self._obey(element, scale)

    def _put_back(self, mixer: Mixer, controls: Iterable[Control]) -> None:
        """What was turned until a better one came would go on making everything softer."""
        for control in controls:
            raw = self._found.pop(str(control), None)
            if raw is not None:
                mixer.element(control).set_raw(raw)

    def _wait_for_control(self, mixer: Mixer) -> None:
        while choose(found := mixer.controls(), self._control) is None:
            self._lose(f"the mixer {self._mixer}: {why_none(found, self._control)}")
            self._wait(mixer.descriptors())
            if self._leaving:
                return
            mixer.update()
        self._wait((), _SETTLE_S)

    @property
    def _leaving(self) -> bool:
        return self._stopping or self._look

    def _obey(self, element: Element, scale: Scale) -> bool:
        """Do what was ordered, if anything was."""
        with self._lock:
            wish, self._wish = self._wish, None
        if wish is None:
            return False
        raw = element.raw() if wish.percent is None else scale.raw_of(wish.percent)
        if wish.delta_percent:
            raw = scale.stepped(raw, wish.delta_percent)
        muted = wish.muted and not wish.delta_percent
        self._aim = VolumeState(scale.percent_of(raw), muted)
        try:
            self._set(element, raw, on=raw > element.raw_range[0] and not muted)
        except LockedError as error:
            if self._state is None and wish.percent is not None:
                self._aim = VolumeState(wish.percent, wish.muted)
                raise  # what it has is not what somebody wants: it is as good as lost
            if self._told.get("refused") != str(error):
                self._told["refused"] = str(error)
                self._listener.refused(str(error))
        else:
            self._told.pop("refused", None)
        return True

    def _set(self, element: Element, raw: int, *, on: bool) -> None:
        """Set it so that nothing is heard in between that is louder than before or after."""
        if not on:
            element.switch(on=False)
        element.set_raw(raw)
        if on:
            element.switch(on=True)

    def _tell(self, element: Element, scale: Scale, *, even_if_known: bool) -> None:
        state = VolumeState(scale.percent_of(element.raw()), muted=element.on() is False)
        known, self._state = self._state, state
        self._aim = state
        if even_if_known or state != known:
            self._listener.changed(state.percent, state.muted)

    def _hand_on(self) -> None:
        """Let the control that comes have the volume of the last one, or what was wished for."""
        aim, self._aim, self._state = self._aim, None, None
        if aim is not None:
            with self._lock:
                wish = self._wish or _Wish(None)
                if wish.percent is None:
                    self._wish = replace(wish, percent=aim.percent, muted=aim.muted)

    def _lose(self, reason: str) -> None:
        self._hand_on()
        with self._lock:
            if self._wish is not None:
                known = self._wish.percent is not None
                self._wish = replace(self._wish, delta_percent=0) if known else None
        if self._told.get("lost") != reason:
            self._told["lost"] = reason
            self._listener.lost(reason)

    def _wait(self, descriptors: Iterable[tuple[int, int]], timeout_s: float | None = None) -> None:
        """Sleep until there is an order or the mixer has news; raises when it is gone."""
        poll = select.poll()
        poll.register(self._waker, select.POLLIN)
        for descriptor, events in descriptors:
            poll.register(descriptor, events)
        ready = dict(poll.poll(None if timeout_s is None else timeout_s * 1000))
        if ready.pop(self._waker, 0):
            os.eventfd_read(self._waker)
        if any(events & _GONE for events in ready.values()):
            raise DeviceError(f"the mixer {self._mixer}: it is gone")
