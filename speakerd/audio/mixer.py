"""ALSA's mixers: what controls they have, and the volume of one of them.

Any number of programs may have a mixer open: looking disturbs nobody.

This calls alsa-lib itself. pyalsaaudio 0.11 does not pass on whether a volume could be set, nor
whether a control has decibels (its range of them is then whatever was in memory), ends the process
by an assertion when a control is removed, and holds the interpreter's lock meanwhile. The functions
and what they return are those of alsa-lib's "Mixer Interface" and "Simple Mixer Interface"
(https://www.alsa-project.org/alsa-doc/alsa-lib/group___simple_mixer.html); without callbacks, which
a hardened unit forbids.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import math
from ctypes import byref, c_char_p, c_int, c_long, c_uint, c_void_p
from typing import TYPE_CHECKING, Protocol

from speakerd.audio.alsa import hush_alsa_lib
from speakerd.audio.controls import Control, Side
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ALSA_LIB = "libasound.so.2"
_CHANNELS = range(32)  # as many as alsa-lib's own loops ask for
_MUTE_DB = -9_999_999  # SND_CTL_TLV_DB_GAIN_MUTE, in hundredths
_LOCKED = (errno.EPERM, errno.EACCES, errno.EBUSY)


class LockedError(DeviceError):
    """The volume can be seen and not be set: another program has locked it, or the driver has."""


class Element(Protocol):
    """The playback side of a control. The volume is a whole number of raw steps.

    Every method may raise :class:`~speakerd.errors.DeviceError`: the mixer is lost, or the control.
    """

    @property
    def raw_range(self) -> tuple[int, int]:
        """The softest and the loudest; the first is less than the second."""
        ...

    def db_of(self, raw: int) -> float | None:
        """The gain at ``raw``: minus infinity is silence; None when the driver does not say."""
        ...

    def raw(self) -> int:
        """The volume, of the loudest channel."""
        ...

    def on(self) -> bool | None:
        """Whether the switch of any channel is on; None when there is no switch."""
        ...

    def set_raw(self, raw: int) -> None:
        """Set the volume of all channels. Raises :class:`LockedError`."""
        ...

    def switch(self, *, on: bool) -> None:
        """Switch all channels, if there is a switch. Raises :class:`LockedError`."""
        ...


class Mixer(Protocol):
    """An open mixer, for one thread. Every method may raise DeviceError: it is lost."""

    def controls(self) -> list[Control]:
        """What it has, as of :meth:`update`; it may well have nothing."""
        ...

    def element(self, control: Control) -> Element:
        """The playback side of a control with a playback volume."""
        ...

    def descriptors(self) -> list[tuple[int, int]]:
        """File descriptors and the events of ``poll`` that tell of a change in the mixer."""
        ...

    def update(self) -> None:
        """Take in what has changed."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def open_mixer(name: str) -> Mixer:
    """Open a mixer by its name in ALSA, such as "hw:CARD=Device" or "default".

    Raises :class:`~speakerd.errors.DeviceError` where it cannot be opened; the configuration of
    alsa-lib is then read anew by the next attempt.
    """
    return _Mixer(name)


def read_controls(mixer: str) -> list[Control]:
    """What ``mixer`` has; a card may well have none.

    Raises :class:`~speakerd.errors.DeviceError` where it cannot be opened.
    """
    with contextlib.closing(_Mixer(mixer)) as opened:
        return opened.controls()


class _PollFd(ctypes.Structure):
    _fields_ = (("fd", c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


_LONG, _INT = ctypes.POINTER(c_long), ctypes.POINTER(c_int)
#: What is called by name here: its arguments and its result (int where it is not said).
_SIGNATURES: dict[str, tuple[object, ...]] = {
    "snd_mixer_open": (ctypes.POINTER(c_void_p), c_int),
    "snd_mixer_attach": (c_void_p, c_char_p),
    "snd_mixer_selem_register": (c_void_p, c_void_p, c_void_p),
    "snd_mixer_load": (c_void_p,),
    "snd_mixer_close": (c_void_p,),
    "snd_mixer_handle_events": (c_void_p,),
    "snd_mixer_poll_descriptors_count": (c_void_p,),
    "snd_mixer_poll_descriptors": (c_void_p, ctypes.POINTER(_PollFd), c_uint),
    "snd_mixer_first_elem": (c_void_p,),
    "snd_mixer_elem_next": (c_void_p,),
    "snd_mixer_selem_get_name": (c_void_p,),
    "snd_mixer_selem_get_index": (c_void_p,),
    "snd_mixer_selem_has_common_volume": (c_void_p,),
    "snd_mixer_selem_has_common_switch": (c_void_p,),
    "snd_mixer_selem_ask_playback_vol_dB": (c_void_p, c_long, _LONG),
    "snd_mixer_selem_set_playback_volume_all": (c_void_p, c_long),
    "snd_mixer_selem_set_playback_switch_all": (c_void_p, c_int),
    **{
        name.format(side): arguments
        for side in ("playback", "capture")
        for name, arguments in {
            "snd_mixer_selem_has_{}_volume": (c_void_p,),
            "snd_mixer_selem_has_{}_switch": (c_void_p,),
            "snd_mixer_selem_has_{}_channel": (c_void_p, c_int),
            "snd_mixer_selem_get_{}_volume_range": (c_void_p, _LONG, _LONG),
            "snd_mixer_selem_get_{}_volume": (c_void_p, c_int, _LONG),
            "snd_mixer_selem_get_{}_switch": (c_void_p, c_int, _INT),
        }.items()
    },
}
_RESULTS = {
    "snd_mixer_first_elem": c_void_p,
    "snd_mixer_elem_next": c_void_p,
    "snd_mixer_selem_get_name": c_char_p,
    "snd_mixer_selem_get_index": c_uint,
}


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_ALSA_LIB)
    except OSError as error:
        raise DeviceError(f"the mixers need {_ALSA_LIB}: {error}") from error
    for name, arguments in _SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = _RESULTS.get(name, c_int)
    library.snd_strerror.restype = c_char_p
    return library


class _Mixer:
    def __init__(self, name: str) -> None:
        hush_alsa_lib()
        self._name = name
        self._lib = _library()
        self._handle = c_void_p()
        self.call("snd_mixer_open", byref(self._handle), 0)
        try:
            self.call("snd_mixer_attach", self._handle, name.encode())
            self.call("snd_mixer_selem_register", self._handle, None, None)
            self.call("snd_mixer_load", self._handle)
        except DeviceError:
            self.close()
            self._lib.snd_config_update_free_global()
            raise

    def controls(self) -> list[Control]:
        return [
            Control(
                *identity,
                playback=self._side(element, "playback", identity[0]),
                capture=self._side(element, "capture", identity[0]),
            )
            for identity, element in self._elements()
        ]

    def element(self, control: Control) -> Element:
        return _Element(self, control)

    def descriptors(self) -> list[tuple[int, int]]:
        count = self.call("snd_mixer_poll_descriptors_count", self._handle)
        found = (_PollFd * count)()
        self.call("snd_mixer_poll_descriptors", self._handle, found, count)
        return [(each.fd, each.events) for each in found]

    def update(self) -> None:
        self.call("snd_mixer_handle_events", self._handle)

    def close(self) -> None:
        self.call("snd_mixer_close", self._handle)

    def find(self, control: Control) -> int:
        """The address of a control, which is good until the next update."""
        for identity, element in self._elements():
            if identity == (control.name, control.index):
                return element
        raise DeviceError(f"the mixer {self._name}: {control} is gone")

    def call(self, function: str, *arguments: object) -> int:
        """Call a function of alsa-lib, and raise what it says when it fails."""
        result: int = getattr(self._lib, function)(*arguments)
        if result < 0:
            raise DeviceError(f"the mixer {self._name}: {self._reason(result)}")
        return result

    def order(self, function: str, control: Control, value: int) -> None:
        """Call a function that sets something of a control. Raises :class:`LockedError`, too."""
        result = getattr(self._lib, function)(self.find(control), value)
        if -result in _LOCKED:
            raise LockedError(
                f"the mixer {self._name}: {control} cannot be set: {self._reason(result)}"
            )
        if result < 0:
            raise DeviceError(f"the mixer {self._name}: {self._reason(result)}")

    def _reason(self, result: int) -> str:
        reason: bytes = self._lib.snd_strerror(result)
        return reason.decode(errors="replace")

    def channels(self, element: int, side: str) -> Iterator[int]:
        """The numbers of an element's channels."""
        for channel in _CHANNELS:
            if self.call(f"snd_mixer_selem_has_{side}_channel", element, channel):
                yield channel

    def raw_range(self, element: int, side: str) -> tuple[int, int]:
        low, high = c_long(), c_long()
        self.call(f"snd_mixer_selem_get_{side}_volume_range", element, byref(low), byref(high))
        return low.value, high.value

    def raw(self, element: int, side: str) -> int:
        """The volume of the loudest channel."""
        return max(self._values(f"snd_mixer_selem_get_{side}_volume", element, side, c_long))

    def on(self, element: int, side: str) -> bool | None:
        """Whether any channel is switched on; None when there is no switch."""
        if not self.call(f"snd_mixer_selem_has_{side}_switch", element):
            return None
        return any(self._values(f"snd_mixer_selem_get_{side}_switch", element, side, c_int))

    def decibels(self, element: int, raw: int) -> float | None:
        hundredths = c_long()
        function = self._lib.snd_mixer_selem_ask_playback_vol_dB
        if function(element, raw, byref(hundredths)) < 0:  # it has none: no failure
            return None
        return -math.inf if hundredths.value <= _MUTE_DB else hundredths.value / 100

    def _values(
        self,
        function: str,
        element: int,
        side: str,
        kind: Callable[[], c_long] | Callable[[], c_int],
    ) -> Iterator[int]:
        for channel in self.channels(element, side):
            value = kind()
            self.call(function, element, channel, byref(value))
            yield value.value

    def _elements(self) -> Iterator[tuple[tuple[str, int], int]]:
        element = self._lib.snd_mixer_first_elem(self._handle)
        while element:
            name = self._lib.snd_mixer_selem_get_name(element).decode(errors="replace")
            yield (name, self._lib.snd_mixer_selem_get_index(element)), element
            element = self._lib.snd_mixer_elem_next(element)

    def _side(self, element: int, side: str, name: str) -> Side | None:
        """A control's part in one direction; alsa-lib says of one without a direction: both."""
        is_other_side = (side == "capture") != ("capture" in name.lower())
        percent = None
        if self.call(f"snd_mixer_selem_has_{side}_volume", element) and not (
            is_other_side and self.call("snd_mixer_selem_has_common_volume", element)
        ):
            low, high = self.raw_range(element, side)
            if low < high:  # else it is there and does nothing
                percent = round((self.raw(element, side) - low) / (high - low) * 100)
        on = self.on(element, side)
        if is_other_side and self.call("snd_mixer_selem_has_common_switch", element):
            on = None
        found = Side(on, percent)
        return None if found == Side() else found


class _Element:
    """The control is looked up at every call: an update may have removed it."""

    def __init__(self, mixer: _Mixer, control: Control) -> None:
        self._mixer = mixer
        self._control = control

    @property
    def raw_range(self) -> tuple[int, int]:
        return self._mixer.raw_range(self._found, "playback")

    def db_of(self, raw: int) -> float | None:
        return self._mixer.decibels(self._found, raw)

    def raw(self) -> int:
        return self._mixer.raw(self._found, "playback")

    def on(self) -> bool | None:
        return self._mixer.on(self._found, "playback")

    def set_raw(self, raw: int) -> None:
        self._mixer.order("snd_mixer_selem_set_playback_volume_all", self._control, raw)

    def switch(self, *, on: bool) -> None:
        if self.on() is not None:
            self._mixer.order("snd_mixer_selem_set_playback_switch_all", self._control, int(on))

    @property
    def _found(self) -> int:
        return self._mixer.find(self._control)
