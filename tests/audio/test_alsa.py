"""What pyalsaaudio says, and what people and the threads get to hear of it.

The device is a script here: a busy card, a card that is pulled out and raw hw: devices cannot be
had through PulseAudio. tests/alsa has the real library.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import alsaaudio
import pytest

from speakerd.audio import alsa
from speakerd.audio.alsa import open_capture, open_playback
from speakerd.audio.pcm import PLAYBACK_RATE_HZ, XrunError
from speakerd.errors import DeviceError

if TYPE_CHECKING:
    from pathlib import Path

HW = "hw:CARD=Device,DEV=0"


class ScriptedPcm:
    """What alsaaudio.PCM makes; answers with what the test has put in."""

    def __init__(self, **options: object) -> None:
        self.options = options
        self.effective: dict[str, object] = {}
        self.answers: dict[str, object] = {"avail": 0, "drop": 0, "read": (0, b""), "write": 0}
        self.answers["state"] = alsaaudio.PCM_STATE_PREPARED
        self.calls: list[str] = []

    def info(self) -> dict[str, object]:
        asked = {"rate": self.options["rate"], "channels": 1, "format_name": "S16_LE"}
        return asked | {"buffer_size": 4800} | self.effective

    def _answer(self, call: str) -> object:
        self.calls.append(call)
        answer = self.answers[call]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def avail(self) -> object:
        return self._answer("avail")

    def state(self) -> object:
        return self._answer("state")

    def drop(self) -> object:
        return self._answer("drop")

    def read(self) -> object:
        return self._answer("read")

    def write(self, pcm: memoryview) -> object:
        assert pcm is not None
        return self._answer("write")

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def pcm(monkeypatch: pytest.MonkeyPatch) -> ScriptedPcm:
    made = ScriptedPcm()

    def make(**options: object) -> ScriptedPcm:
        made.options = options
        return made

    monkeypatch.setattr(alsaaudio, "PCM", make)
    return made


def refuse(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refusing(*, device: str, **_options: object) -> None:
        raise alsaaudio.ALSAAudioError(f"{os.strerror(number)} [{device}]")

    monkeypatch.setattr(alsaaudio, "PCM", refusing)


def gone() -> Exception:
    return alsaaudio.ALSAAudioError(f"No such device [{HW}]")  # type: ignore[no-any-return]  # no types


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc in which mpd plays on the card Device."""
    monkeypatch.setattr(alsa, "PROC", tmp_path)
    (tmp_path / "asound/card1/pcm0p/sub0").mkdir(parents=True)
    (tmp_path / "asound/card1/id").write_text("Device\n")
    (tmp_path / "asound/card1/pcm0p/sub0/status").write_text("owner_pid   : 812\n")
    (tmp_path / "812").mkdir()
    (tmp_path / "812/comm").write_text("mpd\n")
    return tmp_path


@pytest.mark.usefixtures("proc")
def test_who_holds_a_busy_device_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, errno.EBUSY)
    with pytest.raises(DeviceError) as caught:
        open_playback(HW, PLAYBACK_RATE_HZ)
    assert str(caught.value) == (
        f"{HW}: Device or resource busy: mpd (process 812) has card Device:"
        " stop it, or share the card by dmix"
    )
    with pytest.raises(DeviceError, match=r"fuser -v /dev/snd/\*"):  # nobody captures
        open_capture(HW)


def test_a_device_that_we_hold_ourselves_is_not_blamed_on_another_program(
    monkeypatch: pytest.MonkeyPatch, proc: Path
) -> None:
    refuse(monkeypatch, errno.EBUSY)
    status = proc / "asound/card1/pcm0p/sub0/status"
    status.write_text(f"owner_pid   : {os.getpid()}\n")
    with pytest.raises(DeviceError, match=r"busy: speakerd itself has it open: .*dmix"):
        open_playback(HW, PLAYBACK_RATE_HZ)


def test_a_device_that_is_pulled_out_while_it_is_opened_is_a_device_error(
    pcm: ScriptedPcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone_again(*_: object) -> object:
        raise gone()

    monkeypatch.setattr(pcm, "info", gone_again)
    monkeypatch.setattr(alsaaudio, "pcms", gone_again)
    with pytest.raises(DeviceError, match=f"^{HW}: No such device: .*arecord -L"):
        open_capture(HW)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EBUSY, "fuser -v /dev/snd/*"),
        (errno.EACCES, "group audio"),
        (errno.EINVAL, f"it does not do 24000 Hz, mono, S16_LE: use plug{HW}"),
        (errno.EIO, "aplay -L"),
    ],
)
def test_why_a_device_cannot_be_opened(
    monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    refuse(monkeypatch, number)
    with pytest.raises(DeviceError) as caught:
        open_playback(HW, PLAYBACK_RATE_HZ)
    assert str(caught.value).startswith(f"{HW}: {os.strerror(number)}: ")
    assert advice in str(caught.value)


def test_the_cards_that_exist_are_listed_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse(monkeypatch, errno.ENODEV)
    monkeypatch.setattr(alsaaudio, "card_indexes", lambda: [0, 40])
    with pytest.raises(DeviceError, match=r"there is .*plughw:CARD=40,DEV=0"):
        open_capture(HW)


@pytest.mark.parametrize(
    "effective", [{"rate": 44_100}, {"channels": 2}, {"format_name": "S32_LE"}]
)
def test_a_device_that_sets_something_else_is_closed_and_plughw_is_named(
    pcm: ScriptedPcm, effective: dict[str, object]
) -> None:
    pcm.effective = effective
    with pytest.raises(DeviceError, match=f"use plug{HW}"):
        open_capture(HW)
    assert pcm.calls[-1] == "close"


def test_nothing_is_opened_blocking(pcm: ScriptedPcm) -> None:
    open_playback(HW, PLAYBACK_RATE_HZ)
    assert pcm.options["mode"] == alsaaudio.PCM_NONBLOCK


def test_an_underrun_at_write_means_that_nothing_was_taken(pcm: ScriptedPcm) -> None:
    playback = open_playback(HW, PLAYBACK_RATE_HZ)
    pcm.answers["write"] = -errno.EPIPE
    with pytest.raises(XrunError):
        playback.write(memoryview(bytes(4)))


def test_an_underrun_at_avail_is_recovered(pcm: ScriptedPcm) -> None:
    playback = open_playback(HW, PLAYBACK_RATE_HZ)
    pcm.answers["avail"] = -errno.EPIPE
    with pytest.raises(XrunError):
        playback.queued_frames()
    assert pcm.calls[-1] == "drop"


def test_an_overrun_is_a_full_buffer_until_it_is_read(pcm: ScriptedPcm) -> None:
    capture = open_capture(HW)
    pcm.answers |= {"avail": -errno.EPIPE, "read": (-errno.EPIPE, b"")}
    assert capture.waiting_frames() == 4800
    with pytest.raises(XrunError):
        capture.read()


def test_a_device_that_is_pulled_out_is_a_device_error(pcm: ScriptedPcm) -> None:
    playback, capture = open_playback(HW, PLAYBACK_RATE_HZ), open_capture(HW)
    playback.check()
    pcm.answers = {"avail": -errno.ENODEV, "drop": gone(), "read": gone(), "write": gone()}
    pcm.answers["state"] = alsaaudio.PCM_STATE_DISCONNECTED
    for call in (
        lambda: playback.write(memoryview(bytes(4))),
        playback.queued_frames,
        playback.check,
        playback.drop,
        capture.read,
        capture.waiting_frames,
    ):
        with pytest.raises(DeviceError, match=f"^{HW}: No such device$"):
            call()
    playback.close()
    capture.close()


def test_what_somebody_has_defined_is_opened_twice_at_first_for_softvol_s_sake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log: list[str] = []
    defined = "defined_by_this_test"

    class Recorded(ScriptedPcm):
        def __init__(self, **options: object) -> None:
            super().__init__(**options)
            log.append(f"open {options['device']}")

        def close(self) -> None:
            log.append("close")

    monkeypatch.setattr(alsaaudio, "PCM", Recorded)
    for device in (defined, defined, HW):
        open_playback(device, PLAYBACK_RATE_HZ)
    assert log == [f"open {defined}", "close", f"open {defined}", f"open {defined}", f"open {HW}"]
    refuse(monkeypatch, errno.ENODEV)
    with pytest.raises(DeviceError):
        open_playback(defined, PLAYBACK_RATE_HZ)
    log.clear()
    monkeypatch.setattr(alsaaudio, "PCM", Recorded)
    open_playback(defined, PLAYBACK_RATE_HZ)
    assert log == [f"open {defined}", "close", f"open {defined}"]
