"""ALSA's PCM devices, opened and checked, by pyalsaaudio (0.11).

Everything is opened with PCM_NONBLOCK and nothing here blocks, for what blocks in alsa-lib cannot
be interrupted: a blocking open of a busy device waits for ever with the GIL held, and a drain()
through the ``pulse`` plugin goes on for 30 s when the stream is dropped meanwhile. close() drains
as well, therefore playback is always dropped before.

A device is known by its name alone, which is looked up anew at every opening: a card that comes
back under another number is found. As alsa-lib would go on with the configuration it has read
(cards' own files and /etc/asound.conf are read once), it is made to forget it after each failure.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import re
from typing import TYPE_CHECKING, Any

import alsaaudio

from speakerd.audio.cards import PROC, read
from speakerd.audio.holders import holders
from speakerd.audio.pcm import CAPTURE_RATE_HZ, PERIOD_MS, XrunError, frames_of_ms
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.audio.pcm import CapturePcm, PlaybackPcm

#: Capture has to outlast whoever holds the GIL: an import takes a good part of a second of it on
#: a small board. What comes when it is full is lost, up to where it is read again: an overrun.
_CAPTURE_BUFFER_MS = 1000
#: What is in the buffer plays on while this process is busy (with 60 ms, importing google.genai
#: is heard even on a server's CPU). drop() discards it, so its length delays no barge-in. What does
#: not fit is not taken, and stays in the playlist.
_PLAYBACK_BUFFER_MS = 200

#: PCMs that have been opened and closed once, see open_playback.
_opened_before: set[str] = set()

_ALSA_LIB = "libasound.so.2"
_FORMAT = "S16_LE"
#: What alsa-lib and its plugins offer on any machine: no news to somebody who looks for a device.
_ALWAYS_THERE = frozenset(
    (
        *("null", "default", "sysdefault", "pulse", "jack", "oss", "speex", "upmix", "vdownmix"),
        *("lavrate", "samplerate", "speexrate"),
    )
)


#: ALSA's null PCM, also behind a converter. It says that it has filled the buffer and leaves it as
#: it is, and pyalsaaudio's is fresh from the heap: what is in memory here would be sent.
_NULL = re.compile(r"(?:^|[:'\"=])null\b")


def open_capture(device: str, period_ms: int = PERIOD_MS) -> CapturePcm:
    """Open the ALSA PCM ``device`` for capture at 16 kHz, S16_LE mono, not running yet.

    Raises :class:`~speakerd.errors.DeviceError` with the reason and the remedy in one line.
    """
    return _Capture(device, period_ms)


def open_playback(device: str, rate_hz: int) -> PlaybackPcm:
    """Open the ALSA PCM ``device`` for playback at ``rate_hz``, S16_LE mono, not running yet.

    A PCM that somebody has defined is opened twice the first time, and after a failure: alsa-lib's
    softvol makes its control then, and the kernel lets nobody else set a control that was made so,
    not even our own mixer, before it is closed (sound/core/control.c, ``vd->owner``).

    Raises :class:`~speakerd.errors.DeviceError` with the reason and the remedy in one line.
    """
    try:
        if ":" not in device and device not in _opened_before:
            _Playback(device, rate_hz).close()
            _opened_before.add(device)
        return _Playback(device, rate_hz)
    except DeviceError:
        _opened_before.discard(device)
        raise


def named_pcms(*, capture: bool) -> list[str]:
    """The PCMs that somebody has given a name, in /etc/asound.conf and the like.

    Raises :class:`~speakerd.errors.DeviceError` where a card is being pulled out meanwhile.
    """
    hush_alsa_lib()
    try:
        names = alsaaudio.pcms(alsaaudio.PCM_CAPTURE if capture else alsaaudio.PCM_PLAYBACK)
    except alsaaudio.ALSAAudioError as error:
        raise DeviceError(f"the names of ALSA's devices cannot be had: {error}") from error
    return [name for name in names if ":" not in name and name not in _ALWAYS_THERE]


class _Pcm:
    """What both directions share: opening, checking, and errors a person can read."""

    def __init__(
        self, direction: int, device: str, rate_hz: int, period_ms: int, buffer_ms: int
    ) -> None:
        self._device = device
        hush_alsa_lib()
        try:
            self._pcm: Any = alsaaudio.PCM(
                type=direction,
                mode=alsaaudio.PCM_NONBLOCK,
                device=device,
                rate=rate_hz,
                channels=1,
                format=alsaaudio.PCM_FORMAT_S16_LE,
                periodsize=frames_of_ms(period_ms, rate_hz),
                periods=max(2, buffer_ms // period_ms),
            )
            info = self._pcm.info()
        except alsaaudio.ALSAAudioError as error:
            _forget_configuration()
            raise DeviceError(_why_not(device, direction, rate_hz, str(error))) from error
        self.buffer_frames: int = info["buffer_size"]
        if (info["rate"], info["channels"], info["format_name"]) != (rate_hz, 1, _FORMAT):
            self._pcm.close()
            _forget_configuration()
            raise DeviceError(
                f"{device} does {info['rate']} Hz, {info['channels']} channels,"
                f" {info['format_name']} instead of {_wanted(rate_hz)}: {_plug_advice(device)}"
            )

    def _checked(self, frames: int) -> int:
        """Turn the negative numbers that pyalsaaudio returns into exceptions."""
        if frames == -errno.EPIPE:
            raise XrunError
        if frames < 0:
            raise self._lost(os.strerror(-frames))
        return frames

    def _lost(self, error: object) -> DeviceError:
        _forget_configuration()
        return DeviceError(f"{self._device}: {_without_device(str(error))}")


class _Capture(_Pcm):
    def __init__(self, device: str, period_ms: int) -> None:
        super().__init__(
            alsaaudio.PCM_CAPTURE, device, CAPTURE_RATE_HZ, period_ms, _CAPTURE_BUFFER_MS
        )
        self._is_null = _NULL.search(device) is not None

    def read(self) -> bytes:
        try:
            frames, pcm = self._pcm.read()
        except alsaaudio.ALSAAudioError as error:
            raise self._lost(error) from error
        self._checked(frames)
        return bytes(len(pcm)) if self._is_null else bytes(pcm)

    def waiting_frames(self) -> int:
        try:
            return self._checked(self._pcm.avail())
        except XrunError:
            return self.buffer_frames  # full, and more was lost: the next read reports it
        except alsaaudio.ALSAAudioError as error:
            raise self._lost(error) from error

    def close(self) -> None:
        self._pcm.close()


class _Playback(_Pcm):
    def __init__(self, device: str, rate_hz: int) -> None:
        super().__init__(alsaaudio.PCM_PLAYBACK, device, rate_hz, PERIOD_MS, _PLAYBACK_BUFFER_MS)

    def write(self, pcm: memoryview) -> int:
        try:
            return self._checked(self._pcm.write(pcm))
        except alsaaudio.ALSAAudioError as error:
            raise self._lost(error) from error

    def queued_frames(self) -> int:
        try:
            available = self._checked(self._pcm.avail())
        except XrunError:
            self.drop()  # avail() reports an underrun but leaves it; write() would recover
            raise
        except alsaaudio.ALSAAudioError as error:
            raise self._lost(error) from error
        return max(0, self.buffer_frames - available)

    def check(self) -> None:
        if self._pcm.state() == alsaaudio.PCM_STATE_DISCONNECTED:
            raise self._lost(os.strerror(errno.ENODEV))

    def drop(self) -> None:
        try:
            self._pcm.drop()
        except alsaaudio.ALSAAudioError as error:
            raise self._lost(error) from error

    def close(self) -> None:
        # A drop that fails means that the device is lost: close() has nothing to wait for.
        with contextlib.suppress(alsaaudio.ALSAAudioError):
            self._pcm.drop()
        self._pcm.close()


# --- errors for people


def _wanted(rate_hz: int) -> str:
    return f"{rate_hz} Hz, mono, {_FORMAT}"


def _without_device(message: str) -> str:
    """Cut the "[device]" off that pyalsaaudio appends to alsa-lib's message."""
    return message.partition(" [")[0]


def _plug_advice(device: str) -> str:
    """Name the spelling of ``device`` that converts rate, channels and format."""
    if device.startswith("hw:"):
        return f"use plug{device}, which converts"
    if device.startswith(("plughw:", "plug:")):
        return "the device cannot be converted to it either"
    return f"use plug:'{device}', which converts"


def _why_not(device: str, direction: int, rate_hz: int, message: str) -> str:
    reason = _without_device(message)
    match {os.strerror(number): number for number in errno.errorcode}.get(reason):
        case errno.EBUSY:
            advice = _who_has_it(device, direction, PROC)
        case errno.EINVAL:
            advice = f"it does not do {_wanted(rate_hz)}: {_plug_advice(device)}"
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            advice = _whats_there(direction)
        case errno.EACCES | errno.EPERM:
            advice = "the user who runs speakerd must be in the group audio"
        case _:
            advice = "`aplay -L` and `arecord -L` list the devices"
    return f"{device}: {reason}: {advice}"


def _who_has_it(device: str, direction: int, proc: Path) -> str:
    capture = direction == alsaaudio.PCM_CAPTURE
    found = holders(device, "c" if capture else "p", proc)
    others = [holder for holder in found if not holder.ourselves]
    plugin = "dsnoop" if capture else "dmix"
    if not found:
        return "another program has it open: `fuser -v /dev/snd/*` shows which"
    if not others:
        return f"speakerd itself has it open: name another device, or share it by {plugin}"
    who = ", ".join(f"{holder} has card {holder.card}" for holder in others)
    return f"{who}: stop it, or share the card by {plugin}"


def _whats_there(direction: int) -> str:
    try:
        cards = [_card_id(index) for index in alsaaudio.card_indexes()]
        pcms = named_pcms(capture=direction == alsaaudio.PCM_CAPTURE)
    except (alsaaudio.ALSAAudioError, DeviceError):  # a card is being pulled out at this moment
        return "`aplay -L` and `arecord -L` list the devices"
    there = [f"plughw:CARD={card},DEV=0" for card in cards] + pcms
    return f"there is {', '.join(there)}" if there else "there is no sound card"


def _card_id(index: int) -> str:
    """The name that addresses a card; alsaaudio.cards() has no index and fails on any busy one."""
    return read(PROC / f"asound/card{index}/id").strip() or str(index)


def _forget_configuration() -> None:
    """Let alsa-lib read its configuration anew at the next opening.

    By itself it looks only whether the files of ALSA_CONFIG_PATH have changed, not at those which
    they load. What is open stays open.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(_ALSA_LIB).snd_config_update_free_global()


@functools.cache
def hush_alsa_lib() -> None:
    """Keep alsa-lib from writing up to eight lines to stderr for every attempt to open a device.

    All it has to say to a person is in our DeviceError. The handler must be C code (a callback of
    ctypes needs memory that is both writable and executable, which a hardened unit forbids), and
    getpid() is C code that takes no notice of its arguments.
    """
    with contextlib.suppress(OSError, AttributeError):
        handler = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p)
        ctypes.CDLL(_ALSA_LIB).snd_lib_error_set_handler(handler)
