"""The parts of the demo that need neither a sound card nor a daemon that comes up."""

from __future__ import annotations

import array
import math
import threading
import wave
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.demo import speech, timeline, verdict
from speakerd.demo.process import DaemonProcess
from speakerd.errors import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

REPLY = b"\0\0" * 2400 + b"\1\2" * 24_000  # 1 s of sound after 0.1 s of silence
ANSWERED: dict[str, Any] = {"underruns": 0, "outcome": "answered", "reply_s": 1.1}


# --- the verdict


def test_a_reply_is_heard_in_full_wherever_it_is_in_the_recording() -> None:
    heard = bytes(999) + REPLY.lstrip(b"\0") + bytes(77)
    assert verdict.reply_problem(ANSWERED, heard, REPLY) is None
    assert verdict.reply_problem(ANSWERED, heard, None) is None


@pytest.mark.parametrize("heard", [b"", bytes(100_000), REPLY[:-2], REPLY.replace(b"\1", b"\3", 1)])
def test_a_reply_with_a_sample_missing_or_another_one_is_not(heard: bytes) -> None:
    assert "not heard as they are" in str(verdict.reply_problem(ANSWERED, heard, REPLY))


def test_of_a_reply_of_which_only_the_length_is_known_a_second_may_be_silence() -> None:
    longer = ANSWERED | {"reply_s": 2.5}
    assert verdict.reply_problem(longer, REPLY, None) == "1.5 s of the reply were not heard"
    assert verdict.reply_problem(longer | {"reply_s": 1.9}, REPLY, None) is None


@pytest.mark.parametrize("outcome", ["cut", "not-delivered", "silent"])
def test_a_turn_that_was_not_answered_is_a_problem_whatever_was_heard(outcome: str) -> None:
    problem = verdict.reply_problem(ANSWERED | {"outcome": outcome}, REPLY, REPLY)
    assert problem == f"the turn ended as {outcome!r}"


def test_no_reply_is_a_problem() -> None:
    assert verdict.reply_problem(ANSWERED, REPLY, b"") == "the simulator sent no reply"


def test_a_playback_that_ran_dry_was_not_heard_in_full() -> None:
    problem = verdict.reply_problem(ANSWERED | {"underruns": 2}, REPLY, None)
    assert problem == "the playback ran dry 2 times: the machine is too busy"


def test_a_daemon_that_did_not_end_well_spoils_it() -> None:
    assert verdict.exit_problem(0) is None
    assert verdict.exit_problem(-9) == "the daemon ended with exit code -9"


def test_what_was_said_has_to_arrive_whole() -> None:
    said = bytes(10) + b"\5\6" * 100
    assert verdict.utterance_problem(bytes(320) + said + bytes(320), said) is None
    assert verdict.utterance_problem(said[:-1], said) == "what was said did not arrive as it was"


def test_silence_is_trimmed_by_whole_samples() -> None:
    assert verdict.trimmed(b"\0\0\0\1\0\0\2\0\0\0") == b"\0\1\0\0\2\0"
    assert verdict.trimmed(bytes(10)) == b""


# --- the timeline


def test_the_timeline_is_in_the_order_of_time_and_leaves_out_what_was_not_reached() -> None:
    ledger = {"released_ms": 900.4, "activity_start_ms": 250.0, "drained_ms": None, "turn": 1}
    assert list(timeline.lines(ledger)) == [
        "",
        "        0 ms  press: the gate opens",
        "      250 ms  activityStart",
        "      900 ms  release",
    ]


# --- recorded speech


def tone(path: Path, pitch_hz: float, rate_hz: int = 48_000, channels: int = 1) -> Path:
    samples = [
        round(10_000 * math.sin(2 * math.pi * pitch_hz * n / rate_hz)) for n in range(rate_hz // 10)
    ]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(array.array("h", [s for s in samples for _ in range(channels)]).tobytes())
    return path


def loudest(pcm: bytes) -> int:
    samples = array.array("h", pcm)[200:-200]  # the filter swings in and out
    return max(map(abs, samples))


def test_speech_comes_out_at_16_khz_and_as_loud_as_it_was(tmp_path: Path) -> None:
    pcm = speech.load((tone(tmp_path / "low.wav", 440.0, channels=2),))
    assert len(pcm) == 2 * 1600
    assert loudest(pcm) == pytest.approx(10_000, rel=0.02)


def test_what_16_khz_cannot_carry_does_not_come_back_as_another_pitch(tmp_path: Path) -> None:
    assert loudest(speech.load((tone(tmp_path / "high.wav", 11_000.0),))) < 200


def test_recordings_follow_one_another(tmp_path: Path) -> None:
    one = tone(tmp_path / "one.wav", 440.0, rate_hz=16_000)
    two = tone(tmp_path / "two.wav", 880.0, rate_hz=16_000)
    assert speech.load((one, two)) == speech.load((one,)) + speech.load((two,))


def test_a_recording_that_is_missing_or_unfit_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"gone\.wav is missing: apt install alsa-utils"):
        speech.load((tmp_path / "gone.wav",))
    with pytest.raises(UnavailableError, match="not 16-bit PCM at a multiple of 16000 Hz"):
        speech.load((tone(tmp_path / "odd.wav", 440.0, rate_hz=44_100),))
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(UnavailableError, match=r"text\.wav cannot be read"):
        speech.load((tmp_path / "text.wav",))


# --- the daemon as a process


def test_a_daemon_that_does_not_come_up_is_quoted_and_leaves_nothing(tmp_path: Path) -> None:
    threads = threading.active_count()
    process = DaemonProcess(tmp_path, {"GEMINI_API_KEY": "a-key", "SPEAKERD_TAIL_MS": "loud"})
    with pytest.raises(UnavailableError, match=r"did not come up; it said:\n.*SPEAKERD_TAIL_MS"):
        process.__enter__()
    assert process.exit_code == 78
    assert threading.active_count() == threads
    assert not (tmp_path / "notify.sock").exists()


def test_the_daemon_may_be_run_by_another_command(tmp_path: Path) -> None:
    program = "import os; print('in place of it:', os.environ['SPEAKERD_STATE_DIRECTORY'])"
    command = ("-c", program)
    with pytest.raises(UnavailableError, match=f"in place of it: {tmp_path}"):
        DaemonProcess(tmp_path, {}, command=command).__enter__()


def test_the_callers_own_options_do_not_reach_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEAKERD_TAIL_MS", "loud")
    monkeypatch.setenv("GEMINI_API_KEY", "the caller's")
    environment = DaemonProcess(tmp_path, {"SPEAKERD_MODEL": "ours"}).environment()
    assert environment["GEMINI_API_KEY"] == "the caller's"
    assert environment["SPEAKERD_MODEL"] == "ours"
    assert "SPEAKERD_TAIL_MS" not in environment
