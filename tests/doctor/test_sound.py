"""The checks of sound, each with the very fault it is there to find."""

from __future__ import annotations

import dataclasses
import errno
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.controls import Control, Side
from speakerd.audio.earcons import tone
from speakerd.audio.pcm import XrunError
from speakerd.doctor import sound
from speakerd.doctor.devices import ADD_A_CARD
from speakerd.doctor.trial import Alsa
from speakerd.errors import DeviceError
from tests.audio.scripted import CaptureScript, PlaybackScript
from tests.doctor.made_up import INSTALLED, Daemon, Machine, Person, lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from speakerd.audio.pcm import CapturePcm

MICROPHONE, DAC = "plughw:CARD=Device,DEV=0", "plughw:CARD=Dac,DEV=0"
LOW = Control("Mic", capture=Side(True, 30))
SPEECH = bytes.fromhex("0010 00f0") * 8000  # 4096 either way: -18 dBFS
AGAIN = "sudo systemctl restart speakerd.service"


class Microphone:
    """A capture device that has ``sound``, again and again, as fast as it is read."""

    def __init__(self, sound: bytes) -> None:
        self.sound = sound
        self.overruns = 0
        self.refusal: str | None = None
        self._at = 0

    def open(self, device: str, period_ms: int) -> CapturePcm:
        assert (device, period_ms) == (MICROPHONE, 20)
        if self.refusal is not None:
            raise DeviceError(f"{device}: {self.refusal}")
        return self

    def read(self) -> bytes:
        if self.overruns:
            self.overruns -= 1
            raise XrunError
        at, self._at = self._at, (self._at + 640) % len(self.sound)
        return self.sound[at : at + 640]

    def waiting_frames(self) -> int:
        return 16_000

    def close(self) -> None:
        pass


class Rig:
    """The machine, and the devices that ALSA has on it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.microphone = Microphone(SPEECH)
        self.speaker = PlaybackScript(lambda: 0.0)
        self.mixers: dict[str, list[Control]] = {"hw:Device": [LOW], "hw:Dac": []}
        self.named: list[str] = []
        self.alsa = Alsa(
            self.microphone.open,
            self.speaker.open,
            lambda _capture: self.named,
            self.controls,
            listen_s=0,
            speak_s=0,
        )

    def controls(self, mixer: str) -> list[Control]:
        if mixer not in self.mixers:
            raise DeviceError(f"the mixer {mixer}: No such file or directory")
        return self.mixers[mixer]

    def capture(self) -> list[str]:
        return lines(sound.check_microphone(self.machine.system(), self.alsa))

    def play(self) -> list[str]:
        return lines(sound.check_speaker(self.machine.system(), self.alsa))

    def mixer(self) -> list[str]:
        return lines(sound.check_mixer(self.machine.system(), self.alsa))

    def names(self) -> list[str]:
        return lines(sound.check_names(self.machine.system()))

    def write(self, line: str, then: str = AGAIN) -> str:
        return f"{line} in {self.machine.root}/speakerd.env, then {then}"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A USB microphone and a DAC, on an installed speaker."""
    machine = Machine(tmp_path)
    machine.card(0, "vc4hdmi", "0p")
    machine.card(1, "Device", "0c", description="USB Audio Device")
    machine.card(2, "Dac", "0p")
    machine.run.outputs["systemctl show speakerd.service"] = INSTALLED
    machine.options = {
        "SPEAKERD_CAPTURE_DEVICE": MICROPHONE,
        "SPEAKERD_PLAYBACK_DEVICE": DAC,
    }
    return machine


@pytest.fixture
def rig(machine: Machine) -> Rig:
    return Rig(machine)


def refusal(number: int, advice: str) -> str:
    return f"{os.strerror(number)}: {advice}"


# --- cards


def test_the_cards_are_listed_by_their_names(machine: Machine) -> None:
    assert lines(sound.check_cards(machine.system())) == [
        "OK sound card: vc4hdmi (vc4hdmi), Device (USB Audio Device), Dac (Dac)"
    ]


def test_no_card_at_all(tmp_path: Path) -> None:
    (found,) = lines(sound.check_cards(Machine(tmp_path).system()))
    assert found.startswith("FAIL sound card: ALSA sees no sound card -> plug in a USB one")
    assert "dtoverlay=" in found


@pytest.mark.parametrize(("pcm", "missing"), [("0p", "microphone"), ("0c", "speaker")])
def test_cards_that_cannot_hear_or_cannot_play(tmp_path: Path, pcm: str, missing: str) -> None:
    """A Raspberry Pi by itself has no microphone."""
    machine = Machine(tmp_path)
    machine.card(0, "Headphones", pcm, description="bcm2835 Headphones")
    (found,) = lines(sound.check_cards(machine.system()))
    assert found.startswith(
        f"FAIL sound card: none of the sound cards has a {missing}:"
        " Headphones (bcm2835 Headphones) -> "
    )


def test_a_library_that_does_not_load(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines(sound.check_library(machine.system())) == []
    monkeypatch.delitem(sys.modules, "speakerd.audio.alsa")
    monkeypatch.delattr("speakerd.audio.alsa")
    monkeypatch.setitem(sys.modules, "alsaaudio", None)
    (found,) = lines(sound.check_library(machine.system()))
    assert found.startswith("FAIL sound card: ALSA's library does not load: ")
    assert "apt install libasound2" in found
    for check in (sound.check_mixer, sound.check_microphone, sound.check_speaker):
        assert lines(check(machine.system())) == []


def test_without_a_configuration_there_is_nothing_to_try(rig: Rig) -> None:
    rig.machine.configured = False
    assert rig.capture() + rig.play() + rig.mixer() + rig.names() == []


# --- permissions


def test_the_units_groups_count(machine: Machine) -> None:
    machine.node("dev/snd/pcmC1D0c", 0o660, "audio")
    assert lines(sound.check_permissions(machine.system())) == [
        "OK sound card: user speakerd may use it"
    ]


def test_a_user_who_is_not_in_the_group(machine: Machine) -> None:
    machine.run.outputs = {"systemctl show": INSTALLED.replace("audio ", "")}
    machine.node("dev/snd/pcmC1D0c", 0o660, "audio", members="pi,mpd")
    assert lines(sound.check_permissions(machine.system())) == [
        (
            "FAIL sound card: user speakerd may not use /dev/snd/pcmC1D0c (group audio, mode 0660)"
            f" -> sudo adduser speakerd audio && {AGAIN}"
        )
    ]
    machine.node("dev/snd/pcmC1D0c", 0o660, "audio", members="pi,speakerd")
    assert lines(sound.check_permissions(machine.system()))[0].startswith("OK")


def test_a_node_that_udev_has_not_seen(machine: Machine) -> None:
    machine.node("dev/snd/pcmC1D0c", 0o600, "audio")
    (found,) = lines(sound.check_permissions(machine.system()))
    assert found.endswith("mode 0600) -> sudo udevadm trigger --subsystem-match=sound")


def test_without_a_unit_it_is_whoever_asks(machine: Machine) -> None:
    machine.run.outputs.clear()
    machine.node("dev/snd/pcmC1D0c", 0o666, "audio")
    (found,) = lines(sound.check_permissions(machine.system()))
    assert found.startswith("OK sound card: user ")
    assert "speakerd" not in found


# --- names


def test_names_that_last(rig: Rig) -> None:
    assert rig.names() == []


@pytest.mark.parametrize(
    ("device", "lasting"),
    [
        ("hw:1,0", MICROPHONE),
        ("plughw:1", MICROPHONE),
        ("plughw:CARD=1,DEV=3", "plughw:CARD=Device,DEV=3"),
        ("plug:'dsnoop:1'", MICROPHONE),
    ],
)
def test_a_number_for_a_name(rig: Rig, device: str, lasting: str) -> None:
    rig.machine.options["SPEAKERD_CAPTURE_DEVICE"] = device
    assert rig.names() == [
        f"WARN microphone: {device} is a number, and may be another card after the next boot -> "
        + rig.write(f"SPEAKERD_CAPTURE_DEVICE={lasting}")
    ]


@pytest.mark.parametrize("device", ["pulse", "pipewire", "pulse:DEVICE=x"])
def test_a_sound_server_of_a_user(rig: Rig, device: str) -> None:
    rig.machine.options["SPEAKERD_PLAYBACK_DEVICE"] = device
    (found,) = rig.names()
    assert found.startswith(f"WARN speaker: {device}")
    assert found.endswith(rig.write("SPEAKERD_PLAYBACK_DEVICE=plughw:CARD=vc4hdmi,DEV=0"))
    rig.machine.run.outputs.clear()  # not a service: whoever runs it has a session
    assert rig.names() == []


PIPEWIRE = 'pcm.!default {\n    type pipewire\n    playback_node "-1"\n}\n'


@pytest.mark.parametrize(
    ("conf", "asound", "leads"),
    [
        (PIPEWIRE, "", True),
        ("", "pcm.!default pulse\n", True),
        (PIPEWIRE, 'pcm.!default {\n  type asym\n  playback.pcm "pipewire"\n}\n', False),
        (PIPEWIRE, 'pcm.!default "plughw:CARD=Dac"', False),
        (f"#{PIPEWIRE}".replace("\n", "\n# "), "", False),
        ("", "", False),
    ],
)
def test_a_default_that_leads_to_a_sound_server(
    rig: Rig, conf: str, asound: str, leads: bool
) -> None:
    """As the package pipewire-alsa makes it; /etc/asound.conf is read later, and counts."""
    rig.machine.write("etc/alsa/conf.d/99-pipewire-default.conf", conf)
    rig.machine.write("etc/asound.conf", asound)
    rig.machine.options["SPEAKERD_PLAYBACK_DEVICE"] = "default"
    assert [each.startswith("WARN speaker: default, which leads to ") for each in rig.names()] == (
        [True] if leads else []
    )


# --- the mixer


def test_a_mixer_that_lets_sound_through(rig: Rig) -> None:
    assert rig.mixer() == ["OK microphone: the mixer hw:Device lets sound through"]


def test_a_muted_microphone_and_a_speaker_at_zero(rig: Rig) -> None:
    rig.mixers["hw:Device"] = [Control("Mic", capture=Side(False, 30))]
    rig.mixers["hw:Dac"] = [Control("Digital", playback=Side(True, 0))]
    assert rig.mixer() == [
        (
            "FAIL microphone: Mic of the mixer hw:Device is off"
            " -> amixer -D hw:Device sset 'Mic' capture 80% cap && sudo alsactl store"
        ),
        (
            "FAIL speaker: Digital of the mixer hw:Dac is at zero"
            " -> amixer -D hw:Dac sset 'Digital' playback 80% unmute && sudo alsactl store"
        ),
    ]


def test_a_microphone_whose_switch_alsa_lib_counts_to_the_speaker(rig: Rig) -> None:
    switch = Control("Left Input Mixer Boost", playback=Side(on=False))
    rig.mixers["hw:Device"] = [Control("Capture", capture=Side(True, 80)), switch]
    (found,) = rig.mixer()
    assert found == (
        "FAIL microphone: Left Input Mixer Boost of the mixer hw:Device is off"
        " -> amixer -D hw:Device sset 'Left Input Mixer Boost' playback unmute"
        " && sudo alsactl store"
    )


def test_the_microphone_of_a_board_with_two_cards_has_a_mixer_of_its_own(rig: Rig) -> None:
    for option in rig.machine.options:
        rig.machine.options[option] = "default"
    rig.mixers["default"] = [Control("Digital", playback=Side(True, 50))]  # the DAC's
    rig.mixers["hw:Device"] = [Control("Mic", capture=Side(False, 30))]
    assert rig.mixer()[0] == "OK microphone: the mixer default lets sound through"
    rig.machine.write("etc/speakerd/board/name", "hifiberry-dac\n")
    assert rig.mixer()[0] == (
        "FAIL microphone: Mic of the mixer hw:Device is off"
        " -> amixer -D hw:Device sset 'Mic' capture 80% cap && sudo alsactl store"
    )
    assert rig.mixer()[1] == "OK speaker: the mixer default lets sound through"


def test_a_mixer_that_cannot_be_read(rig: Rig) -> None:
    del rig.mixers["hw:Dac"]
    assert rig.mixer()[1:] == [
        "WARN speaker: the mixer hw:Dac: No such file or directory -> alsamixer -D hw:Dac"
    ]


def test_cards_that_only_the_service_may_open_are_not_called_missing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = rig.machine.root / "dev/snd/controlC1"
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()
    monkeypatch.setattr("os.access", lambda *_: False)  # root may open everything
    assert rig.mixer() == [
        "WARN sound card: user root may not look at the mixers -> sudo speakerd doctor"
    ]
    assert rig.capture() + rig.play() == []


# --- the microphone


def test_a_microphone_that_hears(rig: Rig) -> None:
    assert rig.capture() == [
        f"OK microphone: {MICROPHONE} captures at 16 kHz",
        "OK microphone: it hears well (peak -18 dBFS, RMS -18 dBFS)",
    ]


@pytest.mark.parametrize("sample", [b"\0\0", b"\xff\xff"])
def test_digital_silence(rig: Rig, sample: bytes) -> None:
    rig.microphone.sound = sample * 16_000
    found = rig.capture()[-1]
    assert found.startswith(f"FAIL microphone: {MICROPHONE} gives digital silence")
    assert "mute switch" in found


def test_a_clipped_microphone(rig: Rig) -> None:
    rig.microphone.sound = bytes.fromhex("ff7f 0080") * 8000
    assert rig.capture()[-1] == (
        "WARN microphone: it is too loud, and cut off (peak 0 dBFS, RMS 0 dBFS)"
        " -> amixer -D hw:Device sset 'Mic' capture 10%- cap && sudo alsactl store,"
        " until speakerd doctor is content"
    )


@pytest.mark.parametrize(
    ("step", "somebody", "level", "words"),
    [
        (20, False, "OK", "it hears a quiet room"),
        (20, True, "WARN", "your voice hardly comes through"),
        (2, False, "WARN", "it hears next to nothing"),
    ],
)
def test_a_quiet_microphone(rig: Rig, step: int, somebody: bool, level: str, words: str) -> None:
    rig.microphone.sound = b"".join(
        number.to_bytes(2, "little", signed=True) for number in (step, -step) * 8000
    )
    rig.machine.person = Person() if somebody else None
    found = rig.capture()[-1]
    assert found.startswith(f"{level} microphone: {words}")
    assert level == "OK" or "sset 'Mic' capture 10%+" in found


@pytest.mark.parametrize("mixer", [[], [Control("Mic", capture=Side(True))], None])
def test_a_card_without_a_capture_volume(rig: Rig, mixer: list[Control] | None) -> None:
    if mixer is None:
        del rig.mixers["hw:Device"]
    else:
        rig.mixers["hw:Device"] = mixer
    rig.microphone.sound = bytes.fromhex("0100 ffff") * 8000
    assert rig.capture()[-1].endswith("its card has no capture volume: speak from nearer")


def test_a_person_is_asked_to_speak_and_listened_to_meanwhile(rig: Rig) -> None:
    rig.microphone.sound = bytes(32_000)
    person = Person(lambda: setattr(rig.microphone, "sound", SPEECH))
    rig.machine.person = person
    rig.alsa = dataclasses.replace(rig.alsa, speak_s=0.8)
    assert "it hears well" in rig.capture()[-1]
    assert person.told == [
        "Please say something into the microphone for a few seconds, as you usually would."
    ]


def test_sound_that_is_lost(rig: Rig) -> None:
    rig.microphone.overruns = 3
    assert rig.capture()[1] == (
        f"WARN microphone: {MICROPHONE} lost sound 3 times in a few seconds: the machine is too"
        " busy -> top -o %CPU shows what keeps it busy"
    )


def test_a_device_that_gives_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speakerd.audio.microphone._STALL_S", 0.05)
    script = CaptureScript()
    rig = Rig(machine)
    rig.alsa = dataclasses.replace(rig.alsa, open_capture=script.open)
    (found,) = rig.capture()
    assert found.startswith(f"FAIL microphone: {MICROPHONE}: is open and gives no sound -> unplug")


def test_a_device_that_gives_too_little(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speakerd.doctor.trial._PATIENCE_S", 0.05)
    script = CaptureScript()
    script.greeting = bytes(3200)
    rig = Rig(machine)
    rig.alsa = dataclasses.replace(rig.alsa, open_capture=script.open)
    (found,) = rig.capture()
    assert found.startswith(f"FAIL microphone: {MICROPHONE}: gave 0.1 s of sound in 0.05 s -> ")
    assert not script.is_open


def test_a_device_that_is_pulled_out_while_it_listens(machine: Machine) -> None:
    rig = Rig(machine)
    rig.machine.person = Person(lambda: setattr(rig.microphone, "refusal", "No such device"))
    real_read = rig.microphone.read

    def read() -> bytes:
        if rig.microphone.refusal is not None:
            raise DeviceError(f"{MICROPHONE}: No such device")
        return real_read()

    rig.microphone.read = read  # type: ignore[method-assign]  # a device that breaks
    rig.alsa = dataclasses.replace(rig.alsa, speak_s=5.0)
    (found,) = rig.capture()
    assert found.startswith(f"FAIL microphone: {MICROPHONE}: No such device -> ")


# --- devices that cannot be opened


def test_a_raw_device_that_does_not_convert(rig: Rig) -> None:
    rig.microphone.refusal = refusal(
        errno.EINVAL, "it does not do 16000 Hz, mono, S16_LE: use plughw:CARD=X, which converts"
    )
    assert rig.capture() == [
        f"FAIL microphone: {MICROPHONE}: Invalid argument: it does not do 16000 Hz, mono, S16_LE"
        " -> " + rig.write("SPEAKERD_CAPTURE_DEVICE=plughw:CARD=X")
    ]


def test_a_device_that_another_program_holds(rig: Rig) -> None:
    rig.machine.holder("card1/pcm0c/sub0", 812, "mumble")
    rig.microphone.refusal = refusal(
        errno.EBUSY, "mumble (process 812) has card Device: stop it, or share the card by dsnoop"
    )
    shared = rig.write("SPEAKERD_CAPTURE_DEVICE=plug:'dsnoop:CARD=Device,DEV=0'")
    assert rig.capture() == [
        (
            f"FAIL microphone: {MICROPHONE}: Device or resource busy: mumble (process 812) has card"
            f" Device -> stop mumble (process 812), or let both share it: {shared}"
        )
    ]


@pytest.mark.parametrize(
    ("holder", "remedy"),
    [
        ("speakerd", "it is speakerd's own, which does not answer you: sudo speakerd doctor"),
        (None, "sudo fuser -v /dev/snd/* shows which program to stop"),
    ],
)
def test_a_device_that_is_busy_in_another_way(rig: Rig, holder: str | None, remedy: str) -> None:
    if holder is not None:
        rig.machine.holder("card1/pcm0c/sub0", 812, holder)
    rig.microphone.refusal = refusal(errno.EBUSY, "another program has it open: `fuser` ...")
    (found,) = rig.capture()
    assert found.startswith(f"FAIL microphone: {MICROPHONE}: Device or resource busy: another")
    assert found.endswith(f" -> {remedy}")


def test_a_device_that_one_may_not_open(rig: Rig) -> None:
    rig.microphone.refusal = refusal(errno.EACCES, "the user must be in the group audio")
    assert rig.capture() == [
        (
            f"FAIL microphone: {MICROPHONE}: Permission denied"
            f" -> sudo adduser speakerd audio && {AGAIN}"
        )
    ]


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENODEV, errno.ENXIO])
def test_a_device_that_is_not_there(rig: Rig, number: int) -> None:
    rig.machine.card(3, "Webcam", "0c")
    rig.named = ["kitchen"]
    rig.microphone.refusal = refusal(number, "there is whatever")
    nearest = rig.write(f"SPEAKERD_CAPTURE_DEVICE={MICROPHONE}")
    assert rig.capture() == [
        (
            f"FAIL microphone: {MICROPHONE}: {os.strerror(number)} -> {nearest};"
            " there is also plughw:CARD=Webcam,DEV=0, kitchen"
        )
    ]


def test_a_device_that_is_not_there_nor_any_other(tmp_path: Path) -> None:
    rig = Rig(Machine(tmp_path))
    rig.machine.options["SPEAKERD_CAPTURE_DEVICE"] = MICROPHONE
    rig.microphone.refusal = refusal(errno.ENOENT, "there is no sound card")
    assert rig.capture() == [
        f"FAIL microphone: {MICROPHONE}: No such file or directory -> {ADD_A_CARD}"
    ]


def test_a_device_that_fails_in_another_way(rig: Rig) -> None:
    rig.microphone.refusal = refusal(errno.EIO, "`aplay -L` and `arecord -L` list the devices")
    (found,) = rig.capture()
    assert found.startswith(
        f"FAIL microphone: {MICROPHONE}: Input/output error -> unplug it and plug it in again;"
    )


# --- the speaker


def test_a_speaker_that_plays(rig: Rig) -> None:
    rig.speaker.clock = time.monotonic
    rig.machine.person = Person()
    assert rig.play() == [
        f"OK speaker: {DAC} plays at 24 kHz; it was given a test tone of three notes, upwards"
    ]
    assert len(rig.speaker.heard) > 48_000
    assert rig.machine.person.told == ["You should hear three notes now, upwards."]


def test_the_test_tone_waits_for_a_dac_that_has_to_wake(rig: Rig) -> None:
    rig.speaker.clock = time.monotonic
    rig.machine.options["SPEAKERD_WAKE_MS"] = "200"
    assert rig.play()[0].startswith("OK speaker: ")
    waking_bytes = round(0.2 * 24_000) * 2
    assert rig.speaker.heard.startswith(bytes(waking_bytes) + tone()[:1000])


def test_a_speaker_that_runs_dry(rig: Rig) -> None:
    rig.speaker.clock = time.monotonic
    rig.speaker.swallows = 1
    assert rig.play()[1] == (
        f"WARN speaker: {DAC} ran dry once in a second of sound: the machine is too busy"
        " -> top -o %CPU shows what keeps it busy"
    )


def test_a_speaker_that_cannot_be_opened(rig: Rig) -> None:
    rig.speaker.missing = refusal(errno.ENODEV, "there is nothing")
    nearest = rig.write(f"SPEAKERD_PLAYBACK_DEVICE={DAC}")
    assert rig.play() == [
        f"FAIL speaker: {DAC}: No such device -> {nearest}; there is also plughw:CARD=vc4hdmi,DEV=0"
    ]


def test_a_speaker_that_takes_sound_and_plays_none(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speakerd.doctor.trial._PATIENCE_S", 0.05)
    rig.speaker.hanging = True
    (found,) = rig.play()
    assert found.startswith(f"FAIL speaker: {DAC}: took the sound and does not play it -> ")


# --- what a running daemon says


@pytest.fixture
def daemon(rig: Rig) -> Daemon:
    rig.machine.daemon = Daemon()
    rig.machine.daemon.hears(-20.0, "fine")
    rig.microphone.refusal = "must not be opened"
    rig.speaker.missing = "must not be opened"
    return rig.machine.daemon


def test_a_daemon_is_asked_and_its_devices_are_left_alone(rig: Rig, daemon: Daemon) -> None:
    assert rig.capture() + rig.play() == [
        "OK microphone: the daemon has it open",
        "OK microphone: it hears well (peak -20 dBFS, RMS -32 dBFS)",
        "OK speaker: the daemon has it open; it was given a test tone of three notes, upwards",
    ]
    assert {"status", "level", "tone"} <= set(daemon.asked)


@pytest.mark.parametrize(
    ("peak_dbfs", "verdict", "words"),
    [(-100.0, "silent", "FAIL microphone"), (0.0, "clipped", "WARN microphone: it is too loud")],
)
def test_what_the_daemon_hears_is_judged_as_well(
    rig: Rig, daemon: Daemon, peak_dbfs: float, verdict: str, words: str
) -> None:
    daemon.hears(peak_dbfs, verdict)
    assert rig.capture()[-1].startswith(words)


def test_what_the_daemon_misses_is_what_its_status_says(rig: Rig, daemon: Daemon) -> None:
    daemon.status["microphone"] = f"{MICROPHONE}: {refusal(errno.ENODEV, 'there is x')}"
    daemon.status["speaker"] = "starting"
    assert rig.capture() == [
        f"FAIL microphone: {MICROPHONE}: No such device -> "
        + rig.write(f"SPEAKERD_CAPTURE_DEVICE={MICROPHONE}", "sudo speakerd reload")
    ]
    assert rig.play() == [
        (
            f"WARN speaker: the daemon is still opening {DAC}"
            " -> speakerd doctor, once more in some seconds"
        )
    ]
    assert "tone" not in daemon.asked


def test_a_daemon_that_does_not_say_how_loud_it_is(rig: Rig, daemon: Daemon) -> None:
    del daemon.answers["level"]
    assert rig.capture()[-1] == (
        "WARN microphone: its level is not known: no command level -> speakerd doctor, once more"
    )


def test_a_daemon_that_has_just_begun_to_listen_is_asked_again(rig: Rig, daemon: Daemon) -> None:
    daemon.not_yet = 1
    rig.alsa = dataclasses.replace(rig.alsa, listen_s=0.5)
    assert "it hears well" in rig.capture()[-1]


def test_a_microphone_that_is_off_while_nobody_speaks_is_not_asked(
    rig: Rig, daemon: Daemon
) -> None:
    rig.machine.options["SPEAKERD_PREROLL_MS"] = "0"
    assert rig.capture() == ["OK microphone: the daemon has it open"]
    assert "level" not in daemon.asked


def test_a_daemon_in_the_middle_of_a_turn_plays_no_tone(rig: Rig, daemon: Daemon) -> None:
    daemon.answers["tone"] = {"ok": False, "error": "a turn is under way"}
    assert rig.play() == [
        (
            f"WARN speaker: the daemon plays no test tone on {DAC}: a turn is under way"
            " -> speakerd doctor, once more"
        )
    ]


def test_a_daemon_that_falls_silent(rig: Rig, daemon: Daemon) -> None:
    daemon.gone = True
    assert rig.capture() + rig.play() == [
        f"WARN {area}: the daemon has said nothing for 5 s -> {AGAIN}"
        for area in ("microphone", "speaker")
    ]


def test_all_checks_are_registered() -> None:
    checks: list[Callable[..., object]] = [
        check for name, check in vars(sound).items() if name.startswith("check_")
    ]
    assert list(sound.CHECKS) == checks
