"""Devices that are missing, refuse, vanish and come back: what people are told, what happens."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.alsa import open_capture, open_playback
from speakerd.audio.buffers import Utterance
from speakerd.audio.microphone import Microphone
from speakerd.audio.pcm import PLAYBACK_RATE_HZ
from speakerd.audio.speaker import Speaker
from speakerd.conversation import events as ev
from speakerd.demo.soundcard import StandInCard
from speakerd.errors import DeviceError
from tests.audio.contract import EventLog, reply, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from speakerd.audio.pcm import CapturePcm, PlaybackPcm

    AlsaConfig = Callable[[str], None]

pytestmark = pytest.mark.alsa

# ALSA plugins that, like a raw hw: device, do what they do and convert nothing.
PICKY = """
pcm.picky_dac { type a52 slavepcm "null" rate 48000 channels 6 }
pcm.picky_microphone { type mulaw slave { pcm "null" format S16_LE } }
"""


@pytest.fixture
def alsa_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AlsaConfig:
    """Gives ALSA a configuration of the test's own; may be called again while it is in use."""
    path = tmp_path / "asound.conf"
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(path))

    def write(definitions: str) -> None:
        new = path.with_suffix(".new")
        new.write_text(f"</usr/share/alsa/alsa.conf>\n{definitions}\n")
        new.replace(path)

    write("")
    return write


def alias(name: str, card: StandInCard) -> str:
    """A PCM ``name`` that is the card's microphone when captured and its DAC when played."""
    config = card.environment()["ALSA_CONFIG_PATH"]
    return f"""
    <{config}>
    pcm.{name} {{
        type asym
        capture.pcm "{card.capture_device}"
        playback.pcm "{card.playback_device}"
    }}
    """


@pytest.mark.parametrize("name", ["nowhere", "hw:CARD=nowhere,DEV=0", "plughw:7,0"])
def test_a_missing_device_is_named_and_what_is_there_is_listed(
    alsa_config: AlsaConfig, name: str
) -> None:
    alsa_config('pcm.kitchen { type null hint { show on description "at home" } }')
    with pytest.raises(DeviceError, match=r": No such .*: there is (.*, )?kitchen$") as caught:
        open_playback(name, PLAYBACK_RATE_HZ)
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


def test_what_is_there_has_the_pcms_of_asound_conf(card: StandInCard) -> None:
    with pytest.raises(DeviceError, match=card.capture_device):
        open_capture("nowhere")


def test_alsa_lib_does_not_write_to_stderr(
    card: StandInCard, capfd: pytest.CaptureFixture[str]
) -> None:
    assert card.environment()
    with pytest.raises(DeviceError):
        open_capture("nowhere")
    assert capfd.readouterr().err == ""


def test_a_device_that_does_other_formats_only_is_refused_and_plug_is_named(
    alsa_config: AlsaConfig,
) -> None:
    alsa_config(PICKY)
    with pytest.raises(DeviceError, match=r"48000 Hz, 6 channels.*plug:'picky_dac'"):
        open_playback("picky_dac", PLAYBACK_RATE_HZ)
    with pytest.raises(DeviceError, match=r"MU_LAW.*plug:'picky_microphone'"):
        open_capture("picky_microphone")


def test_the_spelling_that_is_named_works(alsa_config: AlsaConfig) -> None:
    alsa_config(PICKY)
    open_playback("plug:'picky_dac'", PLAYBACK_RATE_HZ).close()
    open_capture("plug:'picky_microphone'").close()


@pytest.mark.parametrize(
    "opening",
    [open_capture, functools.partial(open_playback, rate_hz=PLAYBACK_RATE_HZ)],
    ids=["capture", "playback"],
)
def test_a_configuration_file_that_appears_is_read_at_the_next_attempt(
    alsa_config: AlsaConfig, tmp_path: Path, opening: Callable[[str], CapturePcm | PlaybackPcm]
) -> None:
    """As /etc/asound.conf is, which alsa-lib loads once and never looks at again by itself."""
    late = tmp_path / "late.conf"
    alsa_config(f'@hooks [ {{ func load files [ "{late}" ] errors false }} ]')
    with pytest.raises(DeviceError, match="No such file"):
        opening("late")
    late.write_text("pcm.late { type null }")
    opening("late").close()


def test_what_is_open_stays_open_while_another_device_is_retried(card: StandInCard) -> None:
    events = EventLog()
    microphone = Microphone(card.capture_device, preroll_ms=300, post=events.post)
    microphone.start()
    try:
        events.wait_for(ev.DeviceReady)
        for _ in range(20):
            with pytest.raises(DeviceError):
                open_playback("nowhere", PLAYBACK_RATE_HZ)
        captured_frames = microphone.captured_frames
        wait_until(lambda: microphone.captured_frames > captured_frames)
        assert not events.of(ev.DeviceLost)
    finally:
        microphone.stop()


def test_devices_that_appear_are_used(card: StandInCard, alsa_config: AlsaConfig) -> None:
    events = EventLog()
    microphone = Microphone("late", preroll_ms=300, post=events.post)
    speaker = Speaker("late", prebuffer_ms=100, post=events.post)
    microphone.start()
    speaker.start()
    try:
        lost = {events.wait_for(ev.DeviceLost).device for _ in range(2)}
        assert lost == {ev.Device.MICROPHONE, ev.Device.SPEAKER}
        alsa_config(alias("late", card))
        found = {events.wait_for(ev.DeviceReady).device for _ in range(2)}
        assert found == lost
        wait_until(lambda: microphone.captured_frames > 0)
    finally:
        microphone.stop()
        speaker.stop()


def test_an_unplugged_card_ends_the_turn_and_the_next_one_is_used(
    alsa_config: AlsaConfig, tmp_path: Path
) -> None:
    """The same name is another card then, as it is after replugging: it is looked up anew."""
    names = tmp_path / "names.conf"
    alsa_config(f'@hooks [ {{ func load files [ "{names}" ] errors false }} ]')
    events = EventLog()
    utterance = Utterance(1, 1_000_000)
    with StandInCard() as first:
        names.write_text(alias("card", first))
        microphone = Microphone("card", preroll_ms=300, post=events.post)
        speaker = Speaker("card", prebuffer_ms=100, post=events.post)
        microphone.start()
        speaker.start()
        microphone.open_gate(utterance, 0.0)
        events.wait_for(ev.CaptureStarted)
        speaker.expect(1)
        speaker.feed(1, reply(5000))
        events.wait_for(ev.PlaybackStarted)
    try:
        wait_until(lambda: len(events.of(ev.DeviceLost)) >= 2)
        microphone.close_gate(1, 1e12)
        drained, ended = events.of(ev.PlaybackDrained), events.of(ev.CaptureEnded)
        assert [event.turn for event in drained] == [1]
        assert drained[0].duration_s < 4
        assert ended == [ev.CaptureEnded(1, utterance.duration_s)]
        with StandInCard() as second:
            names.write_text(alias("card", second))
            found = {events.wait_for(ev.DeviceReady).device for _ in range(2)}
            assert found == {ev.Device.MICROPHONE, ev.Device.SPEAKER}
            beginning = second.heard_bytes()
            sound = reply(150, 2)
            speaker.expect(2)
            speaker.feed(2, sound)
            speaker.finish(2)
            wait_until(lambda: any(e.turn == 2 for e in events.of(ev.PlaybackDrained)))
            second.wait_heard(second.heard_bytes() + 9600)
            assert sound in second.heard(beginning)
    finally:
        microphone.stop()
        speaker.stop()
