"""Automatic activity detection: where speech is heard, and what the server then does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakerd.simulator import faults
from speakerd.simulator.audio import peak
from speakerd.simulator.catalogue import MODELS
from speakerd.simulator.detection import LOOK_BACK_MS, Detector, Sensitivity, Speech
from speakerd.simulator.faults import Phase
from speakerd.simulator.machine import State
from speakerd.simulator.options import Pacing
from speakerd.simulator.records import Outcome
from tests.protocol.simulator_driver import (
    ACTIVITY_END,
    ACTIVITY_START,
    CHUNK,
    CONTENT,
    RATE_HZ,
    STREAM_END,
    TEXT,
    Client,
    Server,
    audio,
    kinds,
    picture,
    reply_pcm,
    resampled,
    setup,
    silence,
    speech,
    tool_response,
)

HANDLE = "sessionResumptionUpdate"
LIVE_3_1 = "models/gemini-3.1-flash-live-preview"
LIVE_2_5 = "models/gemini-2.5-flash-native-audio-latest"
THINKING = "models/gemini-3.8-live-extended-thinking"
USUAL = Sensitivity()
LOOK_BACK_S = LOOK_BACK_MS / 1000
PREFIX_S = USUAL.prefix_ms / 1000
SILENCE_S = USUAL.silence_ms / 1000


# --- the detector


def utterances(pieces: list[Speech]) -> list[tuple[float, bytes, float | None]]:
    """The pieces put together: where each began, what it is, where it ended."""
    found: list[tuple[float, bytes, float | None]] = []
    for piece in pieces:
        if piece.began_s is not None:
            found.append((piece.began_s, b"", None))
        began_s, pcm, ended_s = found.pop()
        assert ended_s is None
        found.append((began_s, pcm + piece.pcm, piece.ended_s))
    return found


def heard(pcm: bytes, sensitivity: Sensitivity = USUAL) -> list[tuple[float, bytes, float | None]]:
    return utterances(Detector(sensitivity).feed(pcm, RATE_HZ))


def square(peak_: int, seconds: float) -> bytes:
    both = b"".join(value.to_bytes(2, "little", signed=True) for value in (peak_, -peak_))
    return both * round(seconds * RATE_HZ / 2)


@pytest.mark.parametrize(
    ("pcm", "loudest"),
    [(b"", 0), (b"\1", 0), (b"\1\0\xff\xff\x7f", 1), (b"\x00\x80\x05\x00", 32_768)],
)
def test_the_peak_of_some_samples(pcm: bytes, loudest: int) -> None:
    assert peak(pcm) == loudest


def test_an_utterance_reaches_from_a_little_before_the_sound_to_the_end_of_the_silence() -> None:
    said = speech(0.5)
    [(began_s, pcm, ended_s)] = heard(silence(2) + said + silence(3))
    assert began_s == 2 + PREFIX_S
    assert ended_s == 2.5 + SILENCE_S
    assert pcm == silence(LOOK_BACK_S) + said + silence(SILENCE_S)


def test_what_goes_on_has_not_ended() -> None:
    said = speech(0.5)
    assert heard(said) == [(PREFIX_S, said, None)]
    assert heard(said + silence(SILENCE_S - 0.01))[0][2] is None


@pytest.mark.parametrize(
    ("sound", "is_speech"),
    [
        (silence(10), False),
        (speech(PREFIX_S), True),
        (speech(PREFIX_S - 0.01), False),
        ((speech(0.02) + silence(0.09)) * 3, True),  # syllables
        ((speech(0.02) + silence(0.1)) * 30, False),  # the keys of a keyboard
        (square(499, 10), False),
        (square(500, 1), True),
    ],
)
def test_what_is_speech(sound: bytes, is_speech: bool) -> None:
    assert bool(heard(silence(1) + sound + silence(1))) is is_speech


def test_a_pause_does_not_end_speech_and_a_silence_does() -> None:
    pause, between = silence(SILENCE_S - 0.01), silence(SILENCE_S)
    [(_, pcm, _)] = heard(speech(1) + pause + speech(1))
    assert pcm == speech(1) + pause + speech(1)
    assert [pcm for _, pcm, _ in heard(speech(1) + between + speech(1))] == [
        speech(1) + between,
        speech(1),  # what was heard of the first one is not looked back at
    ]


def test_what_is_quieter_may_go_on_and_not_begin() -> None:
    deaf = Sensitivity(start_peak=2000, end_peak=250)
    assert heard(square(1999, 5), deaf) == []
    [(_, pcm, ended_s)] = heard(square(2000, 1) + square(250, 5), deaf)
    assert (len(pcm), ended_s) == (2 * 6 * RATE_HZ, None)
    assert heard(square(2000, 1) + square(249, 5), deaf)[0][2] == 1 + SILENCE_S


@pytest.mark.parametrize(("prefix_ms", "silence_ms"), [(0, 0), (0, 100), (1000, 2000)])
def test_how_long_speech_and_silence_have_to_be(prefix_ms: int, silence_ms: int) -> None:
    sensitivity = Sensitivity(prefix_ms=prefix_ms, silence_ms=silence_ms)
    [(began_s, _, ended_s)] = heard(speech(1) + silence(3), sensitivity)
    assert began_s == max(prefix_ms, 10) / 1000
    assert ended_s == 1 + max(silence_ms, 10) / 1000


@settings(max_examples=25)
@given(st.lists(st.integers(1, 12_000), min_size=1, max_size=40))
def test_the_size_of_the_chunks_is_no_matter(sizes: list[int]) -> None:
    sound = silence(0.5) + (speech(0.4) + silence(1)) * 2 + speech(0.3)
    detector, pieces, at = Detector(USUAL), [], 0
    for size in sizes:
        pieces += detector.feed(sound[at : at + size], RATE_HZ)
        at += size
    pieces += detector.feed(sound[at:], RATE_HZ)
    assert utterances(pieces) == heard(sound)


def test_of_what_is_no_speech_only_a_moment_is_kept() -> None:
    detector = Detector(USUAL)
    for _ in range(60):
        assert detector.feed(silence(1) + speech(0.1), RATE_HZ) == []
    assert len(detector._before) < 2 * RATE_HZ
    assert len(detector._rest) < 2 * RATE_HZ


def test_the_end_of_the_stream_ends_speech_and_nothing_else() -> None:
    detector = Detector(USUAL)
    assert detector.flush() == []
    detector.feed(speech(0.1) + b"\1", RATE_HZ)
    assert detector.flush() == []
    assert detector.feed(speech(0.1), RATE_HZ) == []  # the two do not add up
    assert detector.flush() == []
    odd = speech(0.505) + b"\1"
    pieces = detector.feed(odd, RATE_HZ) + detector.flush()
    [(_, pcm, ended_s)] = utterances(pieces)
    assert pcm == odd
    assert ended_s == pytest.approx(0.705, abs=0.001)
    assert detector.feed(silence(5), RATE_HZ) == []


def test_other_rates_are_heard_as_long_as_they_are() -> None:
    detector = Detector(USUAL)
    pieces = detector.feed(silence(1, 48_000) + speech(1, 48_000), 48_000)
    pieces += detector.feed(silence(2, 24_000), 24_000)
    [(began_s, pcm, ended_s)] = utterances(pieces)
    assert (detector.rate_hz, began_s, ended_s) == (48_000, 1 + PREFIX_S, 2 + SILENCE_S)
    assert speech(1, 48_000) in pcm


# --- the server


def listening(server: Server | None = None, model: str = "", **detection: object) -> Client:
    """A client that lets the server find out when somebody speaks."""
    fields: dict[str, Any] = {"realtimeInputConfig": {"automaticActivityDetection": detection}}
    if model:
        fields["model"] = model
    if model == THINKING:
        fields["generationConfig"] = {"thinkingConfig": {"thinkingLevel": "LOW"}}
    return (server or Server()).set_up(**fields)


def stream(client: Client, pcm: bytes) -> list[dict[str, Any]]:
    """Send sound as a microphone does, 0.1 s at a time, in real time; what comes meanwhile."""
    before = len(client.messages)
    for start in range(0, len(pcm), len(CHUNK)):
        client.wait(0.1)
        client.send(audio(pcm[start : start + len(CHUNK)]))
    return client.messages[before:]


def activities(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found = [message["voiceActivity"] for message in messages if "voiceActivity" in message]
    return [(activity["type"], activity["audioOffset"]) for activity in found]


def test_speech_between_silences_is_a_turn() -> None:
    client = listening()
    messages = stream(client, silence(2) + speech(1) + silence(5))
    assert kinds(messages)[:4] == ["voiceActivity", HANDLE, "inputTranscription", "modelTurn"]
    assert kinds(messages)[-3:] == ["generationComplete", "turnComplete", HANDLE]
    assert activities(messages) == [("ACTIVITY_START", "2.150s"), ("ACTIVITY_END", "3.800s")]
    [turn] = client.server.world.turns
    assert (turn.kind, turn.outcome) == ("speech", Outcome.COMPLETE)
    assert turn.utterance == silence(LOOK_BACK_S) + speech(1) + silence(SILENCE_S)
    assert reply_pcm(messages) == resampled(bytes(turn.utterance))
    assert sum(turn.chunk_bytes) == len(turn.utterance)
    assert client.server.notes.utterances == [turn]
    # in real time: within the chunk that made it certain
    assert turn.activity_start_at == pytest.approx(1000 + 2.2)
    assert turn.activity_end_at == pytest.approx(1000 + 3.8)


def test_what_was_said_is_paid_for_and_the_silence_around_it_is_not() -> None:
    client = listening()
    messages = stream(client, silence(10) + speech(1) + silence(10))
    [usage] = [message["usageMetadata"] for message in messages if "usageMetadata" in message]
    assert usage["promptTokenCount"] == 25 * (LOOK_BACK_S + 1 + SILENCE_S)


def test_silence_alone_is_nothing() -> None:
    client = listening()
    assert stream(client, silence(10)) == []
    assert client.send(audio(silence(601, 8000), "audio/pcm;rate=8000")) == []
    assert (client.server.world.turns, client.core.state) == ([], State.IDLE)
    assert client.closing == ""


def test_a_burst_is_heard_as_in_real_time() -> None:
    client = listening()
    messages = client.send(audio(silence(2) + speech(1) + silence(5)))
    assert activities(messages) == [("ACTIVITY_START", "2.150s"), ("ACTIVITY_END", "3.800s")]
    client.wait(10)
    assert client.turn.outcome is Outcome.COMPLETE


def test_a_whole_second_has_no_digits() -> None:
    client = listening(prefixPaddingMs=1000, silenceDurationMs=1000)
    messages = client.send(audio(speech(1) + silence(1)))
    assert activities(messages) == [("ACTIVITY_START", "1s"), ("ACTIVITY_END", "2s")]


def test_the_answer_waits_for_the_end_of_the_speech() -> None:
    client = listening()
    assert activities(stream(client, speech(5))) == [("ACTIVITY_START", "0.150s")]
    assert client.core.state is State.WINDOW
    assert client.wait(60) == []
    assert activities(stream(client, silence(1))) == [("ACTIVITY_END", "5.800s")]
    assert kinds(client.wait(1))[0] == "inputTranscription"


def test_speech_cuts_an_answer() -> None:
    client = listening(Server(pacing=Pacing.REALTIME))
    stream(client, speech(3) + silence(1.5))
    assert client.turn.first_reply_at is not None
    messages = stream(client, speech(1))
    assert [
        kind for kind in kinds(messages) if kind not in {"modelTurn", "outputTranscription"}
    ] == [
        "voiceActivity",
        "interrupted",
        "turnComplete",
        HANDLE,
    ]
    cut = kinds(messages).index("interrupted")
    assert "modelTurn" not in kinds(messages)[cut:]
    stream(client, silence(10))
    first, second = client.server.world.turns
    assert (first.outcome, second.outcome) == (Outcome.INTERRUPTED, Outcome.COMPLETE)
    assert 0 < first.reply_s < first.utterance_s
    assert second.context == (1,)


def test_a_noise_cuts_nothing() -> None:
    client = listening(Server(pacing=Pacing.REALTIME))
    stream(client, speech(3) + silence(1.5) + speech(0.1) + silence(10))
    [turn] = client.server.world.turns
    assert turn.outcome is Outcome.COMPLETE


def test_without_interruption_the_answers_follow_each_other() -> None:
    client = Server(pacing=Pacing.REALTIME).set_up(
        realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"}
    )
    messages = stream(client, speech(3) + silence(1.5) + speech(1) + silence(10))
    assert "interrupted" not in kinds(messages)
    first, second = client.server.world.turns
    assert first.reply == resampled(bytes(first.utterance))
    assert second.reply == resampled(bytes(second.utterance))
    assert first.completed_at is not None
    assert second.first_reply_at is not None
    assert first.completed_at < second.first_reply_at


def test_two_sentences_in_a_burst_are_two_turns() -> None:
    client = listening()
    client.send(audio((speech(1) + silence(1)) * 2))
    client.wait(10)
    outcomes = [turn.outcome for turn in client.server.world.turns]
    assert outcomes == [Outcome.INTERRUPTED, Outcome.COMPLETE]


@pytest.mark.parametrize("message", [TEXT, CONTENT])
def test_text_cuts_an_answer_and_is_answered(message: dict[str, Any]) -> None:
    client = listening(Server(pacing=Pacing.REALTIME))
    stream(client, speech(3) + silence(1.5))
    assert kinds(client.send(message))[:2] == ["interrupted", "turnComplete"]
    stream(client, silence(10))
    spoken, written = client.server.world.turns
    assert (spoken.outcome, written.outcome) == (Outcome.INTERRUPTED, Outcome.COMPLETE)


def test_a_text_in_the_middle_of_a_sentence_leaves_both_their_answers() -> None:
    client = listening()
    stream(client, speech(1))
    client.send(TEXT)
    stream(client, speech(1) + silence(10))
    spoken, written = client.server.world.turns
    assert (spoken.outcome, written.outcome) == (Outcome.COMPLETE, Outcome.COMPLETE)
    assert speech(1) + speech(1) in spoken.utterance


def test_the_models_that_tell_of_voice_activity() -> None:
    tells = {}
    for name in MODELS:
        client = listening(model=f"models/{name}")
        tells[name] = bool(activities(client.send(audio(speech(1) + silence(2)))))
        assert len(client.server.world.turns) == 1
    assert {name for name, told in tells.items() if not told} == {
        name for name in MODELS if name.startswith("gemini-2.5")
    }


@pytest.mark.parametrize("model", [LIVE_3_1, LIVE_2_5])
def test_the_end_of_the_stream_ends_the_utterance_for_some(model: str) -> None:
    client = listening(model=model)
    assert client.send(STREAM_END) == []  # nobody has spoken: nothing is answered
    stream(client, speech(1))
    client.send(STREAM_END)
    client.send(STREAM_END)
    assert reply_pcm(client.wait(5)) == resampled(speech(1))
    assert len(client.server.world.turns) == 1


@pytest.mark.parametrize("model", ["", THINKING])
def test_the_end_of_the_stream_is_nothing_to_3_8(model: str) -> None:
    client = listening(model=model)
    stream(client, speech(1))
    assert client.send(STREAM_END) == []
    assert client.wait(100) == []
    assert client.core.state is State.WINDOW
    stream(client, silence(1))  # only this ends it
    client.wait(5)
    assert client.turn.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(
    ("model", "detection", "ended_at"),
    [
        ("", {}, "1.800s"),
        ("", {"silenceDurationMs": 300}, "1.300s"),
        (LIVE_3_1, {"silenceDurationMs": 300}, "1.800s"),
        (THINKING, {"endOfSpeechSensitivity": "END_SENSITIVITY_HIGH"}, "1.800s"),
        ("", {"silenceDurationMs": 1500}, "2.500s"),
    ],
)
def test_how_long_a_silence_ends_the_speech(
    model: str, detection: dict[str, Any], ended_at: str
) -> None:
    client = listening(model=model, **detection)
    messages = client.send(audio(speech(1) + silence(3)))
    assert activities(messages)[1] == ("ACTIVITY_END", ended_at)


@pytest.mark.parametrize(
    ("detection", "sound", "told"),
    [
        ({}, square(1000, 1) + silence(1), 2),
        ({"startOfSpeechSensitivity": "START_SENSITIVITY_HIGH"}, square(1000, 1) + silence(1), 2),
        ({"startOfSpeechSensitivity": "START_SENSITIVITY_LOW"}, square(1000, 1) + silence(1), 0),
        ({"startOfSpeechSensitivity": "START_SENSITIVITY_LOW"}, square(2000, 1) + silence(1), 2),
        ({}, square(1000, 1) + square(300, 1), 2),
        ({"endOfSpeechSensitivity": "END_SENSITIVITY_HIGH"}, square(1000, 1) + square(300, 1), 2),
        ({"endOfSpeechSensitivity": "END_SENSITIVITY_LOW"}, square(1000, 1) + square(300, 1), 1),
        ({"prefixPaddingMs": 20}, speech(0.05), 1),
        ({"prefixPaddingMs": 500}, speech(0.4), 0),
    ],
)
def test_sensitivities(detection: dict[str, Any], sound: bytes, told: int) -> None:
    assert len(activities(listening(**detection).send(audio(sound)))) == told


@pytest.mark.parametrize("field", ["prefixPaddingMs", "silenceDurationMs"])
def test_less_than_no_time_is_refused(field: str) -> None:
    client = Server().connect()
    client.send(setup(realtimeInputConfig={"automaticActivityDetection": {field: -1}}))
    assert client.closing == "1007 Request contains an invalid argument."


@pytest.mark.parametrize("message", [ACTIVITY_START, ACTIVITY_END])
def test_the_client_has_no_say_in_the_middle_of_a_sentence(message: dict[str, Any]) -> None:
    client = listening()
    stream(client, speech(1))
    client.send(message)
    assert client.closing.startswith("1007 Explicit activity control is not supported")
    assert client.turn.outcome is Outcome.LOST


def test_an_endless_speech_is_refused() -> None:
    client = listening()
    minute = audio(speech(60, 8000), "audio/pcm;rate=8000")
    for _ in range(10):
        client.send(minute)
    assert client.closing == ""
    client.send(minute)
    assert client.closing == "1007 Request contains an invalid argument."


def test_speech_discards_a_call_nobody_waits_for_and_its_result_is_not_spoken_of() -> None:
    server = Server()
    server.plan.add(Phase.THINKING, faults.ToolCall("f"))
    client = server.set_up(
        realtimeInputConfig={},
        tools=[{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}],
    )
    stream(client, speech(1) + silence(2))
    [call] = [m["toolCall"]["functionCalls"][0] for m in client.messages if "toolCall" in m]
    messages = stream(client, speech(0.5))
    assert {"toolCallCancellation": {"ids": [call["id"]]}} in messages
    client.send(tool_response(call["id"]))
    stream(client, silence(5))
    assert [turn.kind for turn in server.world.turns] == ["speech", "speech"]


def test_a_result_that_comes_in_the_middle_of_a_sentence_is_not_spoken_of() -> None:
    server = Server()
    server.plan.add(Phase.THINKING, faults.ToolCall("f"))
    client = server.set_up(
        realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"},
        tools=[{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}],
    )
    stream(client, speech(1) + silence(2))
    [call] = [m["toolCall"]["functionCalls"][0] for m in client.messages if "toolCall" in m]
    stream(client, speech(0.5))
    client.send(tool_response(call["id"]))
    assert client.server.world.turns[0].tool_responses
    stream(client, silence(5))
    assert [turn.kind for turn in server.world.turns] == ["speech", "speech"]


@pytest.mark.parametrize("after_s", [0.0, 0.5])
def test_a_connection_that_breaks_while_somebody_speaks(after_s: float) -> None:
    server = Server()
    server.plan.add(Phase.UTTERANCE, faults.Abort(), after_s=after_s)
    client = listening(server)
    client.send(audio((speech(1) + silence(1)) * 2))
    assert client.core.record.close_code == 1006
    [turn] = server.world.turns  # what came after it is not heard any more
    assert turn.outcome is Outcome.LOST
    assert client.wait(10) == []


@pytest.mark.parametrize(("model", "seen"), [("", 2), (LIVE_2_5, 1)])
def test_what_was_seen_before_is_part_of_the_turn_where_the_model_has_it_so(
    model: str, seen: int
) -> None:
    client = listening(model=model)
    client.send(picture(b"\1"))
    stream(client, silence(0.5) + speech(1.0))
    client.send(picture(b"\2"))
    stream(client, silence(1.0))
    client.wait(5)
    assert [each.data for each in client.turn.pictures] == [b"\1", b"\2"][-seen:]
    assert client.core.record.discarded_pictures == 2 - seen
