"""Turns, handles, time and faults, on the pure protocol."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.simulator import faults
from speakerd.simulator.faults import Moment, Phase, Planned
from speakerd.simulator.machine import State
from speakerd.simulator.options import Pacing, SimulatorOptions
from speakerd.simulator.records import Outcome
from speakerd.simulator.wire import Deafen, Reset
from tests.protocol.simulator_driver import (
    ACTIVITY_END,
    ACTIVITY_START,
    CHUNK,
    CONTENT,
    HISTORY_CONFIG,
    MODEL,
    TEXT,
    Client,
    Server,
    audio,
    history,
    kinds,
    picture,
    reply_pcm,
    resampled,
    setup,
    tool_response,
)

HANDLE = "sessionResumptionUpdate"
ABORTED = "1008 The operation was aborted."
OTHER_MODEL = "models/gemini-3.1-flash-live-preview"


# --- a turn


def test_a_push_to_talk_turn_in_order() -> None:
    client = Server().set_up()
    messages = client.say() + client.wait(5)
    assert kinds(messages) == [
        HANDLE,  # not resumable from here
        "inputTranscription",
        "modelTurn",
        "outputTranscription",
        "modelTurn",
        "outputTranscription",
        "modelTurn",
        "outputTranscription",
        "modelTurn",
        "outputTranscription",
        "modelTurn",
        "outputTranscription",
        "modelTurn",
        "outputTranscription",
        "modelTurn",
        "generationComplete",
        "turnComplete",
        HANDLE,
    ]
    assert messages[0] == {HANDLE: {}}
    assert messages[-1][HANDLE]["resumable"]
    assert reply_pcm(messages) == resampled(3 * CHUNK)
    assert client.turn.outcome is Outcome.COMPLETE


def test_what_is_said_is_recorded() -> None:
    server = Server()
    client = server.set_up()
    server.now += 1
    client.send(ACTIVITY_START)
    server.now += 1
    client.send(audio())
    client.send(audio(CHUNK[:100]))
    server.now += 1
    client.send(ACTIVITY_END)
    client.wait(5)
    turn = client.turn
    assert (turn.number, turn.connection, turn.kind, turn.context) == (1, 1, "speech", ())
    assert turn.utterance == CHUNK + CHUNK[:100]
    assert turn.chunk_bytes == [len(CHUNK), 100]
    assert turn.chunk_at == [1002.0, 1002.0]
    assert (turn.activity_start_at, turn.first_audio_at) == (1001.0, 1002.0)
    assert (turn.activity_end_at, turn.first_reply_at) == (1003.0, 1003.5)
    assert turn.completed_at == 1003.5
    assert turn.reply == reply_pcm(client.messages)
    assert server.notes.utterances == [turn]


def test_each_chunk_of_an_answer_is_recorded_with_its_time() -> None:
    client = Server(pacing=Pacing.REALTIME, chunk_ms=40, generation_rate=1.0).set_up()
    client.say(chunks=1)  # 100 ms, which the parrot repeats
    sent_at = client.server.now
    client.wait(5)
    at = [chunk.at - sent_at for chunk in client.turn.reply_chunks]
    assert at == pytest.approx([0.5, 0.54, 0.58])
    assert [chunk.size_bytes for chunk in client.turn.reply_chunks] == [1920, 1920, 960]


def test_usage_counts_the_whole_context() -> None:
    client = Server().set_up()
    usages = []
    for _ in range(2):
        client.say(chunks=10)  # 1 s: 25 tokens in, 25 out
        usages += [m["usageMetadata"] for m in client.wait(5) if "usageMetadata" in m]
    assert [usage["promptTokenCount"] for usage in usages] == [25, 75]
    assert [usage["totalTokenCount"] for usage in usages] == [50, 100]


def test_usage_tells_sound_from_text() -> None:
    """The instruction stays, what was written is remembered, and thoughts are in no sum."""
    client = Server().set_up(systemInstruction={"parts": [{"text": 40 * "x"}]})
    client.say(chunks=10)
    client.wait(5)
    client.send({"realtimeInput": {"text": 80 * "x"}})
    usage = next(m["usageMetadata"] for m in client.wait(5) if "usageMetadata" in m)
    assert usage["promptTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 10 + 20},
        {"modality": "AUDIO", "tokenCount": 50},
    ]
    answer = usage["responseTokensDetails"][0]["tokenCount"]
    assert usage["totalTokenCount"] == 80 + answer
    assert usage["thoughtsTokenCount"] > 0


def test_compression_forgets_the_oldest_turns() -> None:
    client = Server().set_up(
        contextWindowCompression={"triggerTokens": 120, "slidingWindow": {"targetTokens": 60}}
    )
    for _ in range(4):
        client.say(chunks=10)
        client.wait(5)
    assert [turn.context for turn in client.server.world.turns] == [(), (1,), (1, 2), (3,)]


def test_url_safe_base64_is_read() -> None:
    client = Server().set_up()
    client.send(ACTIVITY_START)
    client.send_frame(b'{"realtime_input": {"audio": {"data": "-_8", "mime_type": "audio/pcm"}}}')
    assert client.turn.utterance == b"\xfb\xff"


def test_another_rate_is_parroted_at_its_own_length() -> None:
    client = Server().set_up()
    client.send(ACTIVITY_START)
    client.send(audio(CHUNK, "audio/pcm; rate=48000"))
    client.send(ACTIVITY_END)
    assert client.turn.rate_hz == 48_000
    assert reply_pcm(client.wait(5)) == resampled(CHUNK, 48_000)


def test_a_rate_that_changes_is_brought_to_the_first() -> None:
    client = Server().set_up()
    client.send(ACTIVITY_START)
    client.send(audio(CHUNK))
    client.send(audio(CHUNK, "audio/pcm;rate=24000"))
    assert client.turn.utterance == CHUNK + resampled(CHUNK, 24_000, 16_000)


def test_pictures_of_a_window_are_kept_where_they_came_and_count_in_the_usage() -> None:
    client = Server().set_up()
    client.send(ACTIVITY_START)
    client.send(audio())
    client.send(picture(b"one"))
    client.send(audio())
    client.send(picture(b"two", "image/png"))
    client.send(ACTIVITY_END)
    assert client.turn.pictures == [
        (b"one", "image/jpeg", len(CHUNK)),
        (b"two", "image/png", 2 * len(CHUNK)),
    ]
    [usage] = [m["usageMetadata"] for m in client.wait(5) if "usageMetadata" in m]
    assert usage["promptTokenCount"] == 5 + 2 * 258


def test_pictures_outside_a_window_are_counted_and_forgotten() -> None:
    client = Server().set_up()
    client.send(picture())
    client.say()
    client.send(picture())
    assert client.core.record.discarded_pictures == 2
    assert client.turn.pictures == []


def test_audio_outside_a_window_is_counted_and_forgotten() -> None:
    client = Server().set_up()
    client.send(audio())
    client.say()
    client.send(audio())
    record = client.core.record
    assert (record.discarded_chunks, record.discarded_bytes) == (2, 2 * len(CHUNK))
    assert client.turn.utterance == 3 * CHUNK
    assert record.received == {
        "setup": 1,
        "audio": 5,
        "activityStart": 1,
        "activityEnd": 1,
    }


def test_a_window_without_audio_is_a_silent_turn() -> None:
    client = Server().set_up()
    messages = client.say(chunks=0) + client.wait(5)
    assert kinds(messages) == [HANDLE, "turnComplete", HANDLE]
    assert messages[1] == {"serverContent": {"turnComplete": True}}


def test_an_endless_utterance_is_refused() -> None:
    client = Server().set_up()
    client.send(ACTIVITY_START)
    minute = audio(bytes(2 * 16_000 * 60))
    for _ in range(10):
        client.send(minute)
    assert client.closing == ""
    client.send(audio())
    assert client.closing == "1007 Request contains an invalid argument."


def test_transcriptions_come_only_if_asked_for() -> None:
    client = Server().set_up(inputAudioTranscription=None, outputAudioTranscription=None)
    messages = client.say() + client.wait(5)
    assert kinds(messages) == [HANDLE, "modelTurn", "generationComplete", "turnComplete", HANDLE]


def test_a_text_is_a_turn() -> None:
    client = Server().set_up()
    messages = client.send(TEXT) + client.wait(5)
    assert (client.turn.kind, client.turn.text) == ("text", "hello")
    assert reply_pcm(messages) == client.server.world.voice


def test_content_is_gathered_until_its_turn_is_complete() -> None:
    client = Server().set_up()
    part = {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "well"}]}]}}
    assert client.send(part) == []
    messages = client.send(CONTENT) + client.wait(5)
    assert client.turn.text == "well hi"
    assert "turnComplete" in kinds(messages)


def test_a_history_is_taken_until_it_is_complete_and_not_answered() -> None:
    client = Server().set_up(historyConfig=HISTORY_CONFIG)
    assert client.send(history(("user", "I am Ada."), complete=False)) == []
    waiting = client.core.state
    assert client.send(history(("model", "Hello Ada."))) + client.wait(5) == []
    assert (waiting, client.core.state) == (State.HISTORY, State.IDLE)
    assert client.core.record.history == [("user", "I am Ada."), ("model", "Hello Ada.")]
    client.say()
    client.wait(5)
    assert (client.turn.context, client.turn.outcome) == ((0,), Outcome.COMPLETE)


def test_a_history_may_be_empty() -> None:
    client = Server().set_up(historyConfig=HISTORY_CONFIG)
    assert client.send({"clientContent": {"turnComplete": True}}) == []
    assert client.core.state is State.IDLE


def test_content_after_the_history_is_a_turn() -> None:
    client = Server().set_up(historyConfig=HISTORY_CONFIG)
    client.send(history(("user", "I am Ada.")))
    client.send(CONTENT)
    assert client.turn.text == "hi"


@pytest.mark.parametrize(("model", "context"), [(MODEL, (0, 1)), (OTHER_MODEL, (1,))])
def test_a_session_that_is_resumed_has_its_history_but_for_3_1(
    model: str, context: tuple[int, ...]
) -> None:
    server = Server()
    client = server.set_up(model=model, historyConfig=HISTORY_CONFIG)
    client.send(history(("user", "I am Ada.")))
    client.say()
    client.wait(5)
    client.leave()
    again = resume(server, client.handles[-1], model=model)
    again.say()
    assert again.turn.context == context


def test_a_handle_from_before_the_history_does_not_have_it() -> None:
    server = Server()
    client = server.set_up(historyConfig=HISTORY_CONFIG)
    client.send(history(("user", "I am Ada.")))
    client.leave()
    again = resume(server, client.handles[0])
    again.say()
    assert again.turn.context == ()


def test_a_session_that_is_resumed_takes_the_next_content_for_its_history() -> None:
    server = Server()
    client = server.set_up()
    client.leave()
    again = resume(server, client.handles[-1], historyConfig=HISTORY_CONFIG)
    assert again.send(CONTENT) + again.wait(5) == []
    assert server.world.turns == []
    assert again.core.record.history == [("user", "hi")]


# --- pacing


def chunk_times(options: dict[str, Any], chunks: int = 10) -> list[float]:
    """When each chunk of the answer comes, after activityEnd."""
    server = Server(**options)
    client = server.set_up(outputAudioTranscription=None)
    client.say(chunks)
    began, times = server.now, []
    while client.core.state is State.GENERATING:
        due = client.core.deadline()
        assert due is not None
        messages = client.wait(due - server.now)
        times += [due - began for message in messages if reply_pcm([message])]
    return [round(time, 6) for time in times]


def test_realtime_is_steady_and_faster_than_it_plays() -> None:
    times = chunk_times({"pacing": Pacing.REALTIME})
    assert times == [round(0.5 + n * 0.04 / 1.25, 6) for n in range(25)]


def test_speed_divides_every_wait() -> None:
    times = chunk_times({"pacing": Pacing.REALTIME, "speed": 10.0})
    assert times == [round(0.05 + n * 0.0032, 6) for n in range(25)]


def test_no_waiting_answers_within_the_activity_end() -> None:
    client = Server(speed=0).set_up()
    assert kinds(client.say())[-1] == HANDLE
    assert client.core.state is State.IDLE


def test_jitter_has_gaps_of_up_to_400_ms_and_is_repeatable() -> None:
    options = {"pacing": Pacing.JITTER, "seed": 7}
    times = chunk_times(options, chunks=50)
    gaps = [round(b - a, 6) for a, b in itertools.pairwise(times)]
    assert len(times) == 125
    assert max(gaps) > 0.2
    assert max(gaps) <= 0.4
    assert min(gaps) == 0.0  # what was held up comes in a burst
    assert sum(gaps) < 125 * 0.04  # and the whole is still faster than it plays
    assert times == chunk_times(options, chunks=50)
    assert times != chunk_times({"pacing": Pacing.JITTER, "seed": 8}, chunks=50)


@pytest.mark.parametrize(("lag_s", "done_at"), [(0.0, 0.5), (2.0, 2.5), (None, 1.5)])
def test_turn_complete_may_lag(lag_s: float | None, done_at: float) -> None:
    client = Server(turn_complete_lag_s=lag_s).set_up()
    client.say(chunks=10)
    client.wait(10)
    assert client.turn.activity_end_at is not None
    assert client.turn.completed_at == client.turn.activity_end_at + done_at


def test_the_size_of_a_chunk() -> None:
    client = Server(chunk_ms=100).set_up(outputAudioTranscription=None)
    client.say(chunks=5)
    sizes = [len(reply_pcm([message])) for message in client.wait(5)]
    assert [size for size in sizes if size] == [4800] * 5


@pytest.mark.parametrize("wrong", [{"speed": -1.0}, {"chunk_ms": 0}, {"idle_timeout_s": 0.0}])
def test_options_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        SimulatorOptions(**wrong)


# --- interruption


def interrupted(client: Client, message: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Cut the answer in its middle; what comes of it at once."""
    client.say(chunks=10)
    client.wait(0.6)
    assert client.core.state is State.GENERATING
    return client.send(message or ACTIVITY_START)


def test_a_barge_in_is_interrupted_and_then_complete() -> None:
    client = Server(pacing=Pacing.REALTIME).set_up()
    messages = interrupted(client)
    assert kinds(messages) == ["interrupted", "turnComplete", HANDLE]
    assert client.core.state is State.WINDOW
    assert client.server.world.turns[0].outcome is Outcome.INTERRUPTED
    client.send(audio())
    client.send(ACTIVITY_END)
    assert reply_pcm(client.wait(5)) == resampled(CHUNK)
    assert client.turn.context == (1,)


def test_late_audio_of_the_cut_answer() -> None:
    client = Server(pacing=Pacing.REALTIME, late_audio_chunks=2).set_up()
    messages = interrupted(client)
    assert kinds(messages) == ["modelTurn", "interrupted", "turnComplete", HANDLE]
    whole = resampled(10 * CHUNK)
    assert client.turn.reply == b""
    assert whole.startswith(client.server.world.turns[0].reply)
    assert len(reply_pcm(messages)) == 2 * 1920


@pytest.mark.parametrize("message", [TEXT, CONTENT])
def test_text_cuts_an_answer_too(message: dict[str, Any]) -> None:
    client = Server(pacing=Pacing.REALTIME).set_up()
    assert kinds(interrupted(client, message))[:2] == ["interrupted", "turnComplete"]
    client.wait(5)
    assert client.turn.outcome is Outcome.COMPLETE


def test_without_interruption_the_answers_follow_each_other() -> None:
    client = Server(pacing=Pacing.REALTIME).set_up(
        realtimeInputConfig={
            "automaticActivityDetection": {"disabled": True},
            "activityHandling": "NO_INTERRUPTION",
        }
    )
    assert interrupted(client) == []
    client.send(audio())
    client.send(ACTIVITY_END)
    client.wait(10)
    first, second = client.server.world.turns
    assert first.reply == resampled(10 * CHUNK)
    assert second.reply == resampled(CHUNK)
    assert first.completed_at is not None
    assert second.first_reply_at is not None
    assert first.completed_at < second.first_reply_at
    assert client.core.state is State.IDLE


def test_an_answer_may_end_while_the_next_window_is_open() -> None:
    client = Server(pacing=Pacing.REALTIME).set_up(
        realtimeInputConfig={
            "automaticActivityDetection": {"disabled": True},
            "activityHandling": "NO_INTERRUPTION",
        }
    )
    interrupted(client)
    client.wait(10)
    assert client.core.state is State.WINDOW
    assert client.server.world.turns[0].outcome is Outcome.COMPLETE


# --- tool calls


def calling(server: Server, **fields: object) -> tuple[Client, str]:
    """A client whose turn has led to a call, and the call's id."""
    server.plan.add(Phase.THINKING, faults.ToolCall("f", {"x": 1}))
    client = server.set_up(**fields)
    client.say()
    [call] = [m["toolCall"]["functionCalls"][0] for m in client.wait(0.4) if "toolCall" in m]
    assert (call["name"], call["args"]) == ("f", {"x": 1})
    return client, call["id"]


def test_the_answer_waits_for_the_tool() -> None:
    client, call_id = calling(Server())
    assert client.core.state is State.TOOL_PENDING
    assert client.wait(20) == []
    client.send(tool_response(call_id))
    assert kinds(client.wait(5))[-1] == HANDLE
    assert client.turn.reply == resampled(3 * CHUNK)
    assert client.turn.tool_responses[0]["response"] == {"result": "ok"}


def test_a_result_that_will_continue_is_not_the_last() -> None:
    client, call_id = calling(Server())
    client.send(tool_response(call_id, willContinue=True))
    assert client.wait(5) == []
    client.send(tool_response(call_id))
    assert reply_pcm(client.wait(5)) == resampled(3 * CHUNK)


def test_no_handle_while_a_tool_runs() -> None:
    server = Server(handle_interval_s=0.9)
    client, call_id = calling(server)
    assert client.wait(10) == []
    client.send(tool_response(call_id))
    assert len([m for m in client.wait(5) if m.get(HANDLE, {}).get("resumable")]) > 4


def test_content_cancels_the_call_and_a_late_result_is_nothing() -> None:
    client, call_id = calling(Server())
    messages = client.send(CONTENT)
    assert messages[0] == {"toolCallCancellation": {"ids": [call_id]}}
    assert kinds(messages)[1:3] == ["interrupted", "turnComplete"]
    client.send(tool_response(call_id))
    client.wait(5)
    assert client.closing == ""
    assert client.turn.outcome is Outcome.COMPLETE


NON_BLOCKING = [{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}]


def test_the_answer_does_not_wait_for_a_non_blocking_tool() -> None:
    client, call_id = calling(Server(), tools=NON_BLOCKING)
    assert client.turn.reply == b""
    client.wait(5)
    assert client.turn.outcome is Outcome.COMPLETE
    client.send(tool_response(call_id))
    client.wait(5)
    assert client.turn.kind == "tool"
    assert client.turn.outcome is Outcome.COMPLETE


def test_a_result_nobody_waits_for_leaves_the_answer_waiting_for_the_other() -> None:
    server = Server()
    for name in ("f", "g"):
        server.plan.add(Phase.THINKING, faults.ToolCall(name))
    waited_for = {"name": "g", "behavior": "BLOCKING"}
    declared = [*NON_BLOCKING[0]["functionDeclarations"], waited_for]
    client = server.set_up(tools=[{"functionDeclarations": declared}])
    client.say()
    free, blocking = [
        m["toolCall"]["functionCalls"][0]["id"] for m in client.wait(0.4) if "toolCall" in m
    ]
    client.send(tool_response(free))
    assert client.core.state is State.TOOL_PENDING
    client.send(tool_response(blocking))
    client.wait(5)
    asked, about_the_result = server.world.turns
    assert asked.reply == resampled(3 * CHUNK)
    assert (asked.outcome, about_the_result.outcome) == (Outcome.COMPLETE, Outcome.COMPLETE)


def test_a_call_while_a_window_is_open_leaves_it_open() -> None:
    server = Server()
    server.plan.add(Phase.THINKING, faults.ToolCall("f"))
    client = server.set_up(
        realtimeInputConfig={
            "automaticActivityDetection": {"disabled": True},
            "activityHandling": "NO_INTERRUPTION",
        }
    )
    client.say()
    client.send(ACTIVITY_START)
    [call] = [m["toolCall"]["functionCalls"][0] for m in client.wait(0.4) if "toolCall" in m]
    client.send(tool_response(call["id"]))
    assert client.core.state is State.WINDOW
    client.send(ACTIVITY_END)
    client.wait(5)
    assert client.closing == ""
    assert len(server.world.turns) == 2


@pytest.mark.parametrize(
    ("scheduling", "cut", "spoken"),
    [("SILENT", False, 1), ("WHEN_IDLE", False, 2), ("INTERRUPT", True, 2)],
)
@pytest.mark.parametrize("inside", [False, True])
def test_scheduling_of_a_result(scheduling: str, cut: bool, spoken: int, inside: bool) -> None:
    client, call_id = calling(Server(pacing=Pacing.REALTIME), tools=NON_BLOCKING)
    client.wait(0.2)
    if inside:
        result = tool_response(call_id, response={"scheduling": scheduling})
    else:
        result = tool_response(call_id, scheduling=scheduling)
    assert ("interrupted" in kinds(client.send(result))) is cut
    client.wait(5)
    turns = client.server.world.turns
    assert len(turns) == spoken
    assert turns[0].outcome is (Outcome.INTERRUPTED if cut else Outcome.COMPLETE)


def test_an_activity_cancels_a_non_blocking_call() -> None:
    client, call_id = calling(Server(), tools=NON_BLOCKING)
    client.wait(5)
    assert client.send(ACTIVITY_START) == [{"toolCallCancellation": {"ids": [call_id]}}]


def calls_in(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The function calls of these messages."""
    return [call for m in messages if "toolCall" in m for call in m["toolCall"]["functionCalls"]]


def test_several_calls_in_one_message_are_all_waited_for() -> None:
    server = Server()
    both = faults.ToolCalls((faults.ToolCall("f"), faults.ToolCall("g")))
    server.plan.add(Phase.THINKING, both)
    client = server.set_up()
    first, second = calls_in(client.say())
    assert kinds(client.messages).count("toolCall") == 1
    client.send(tool_response(first["id"]))
    assert client.wait(20) == []
    client.send(tool_response(second["id"]))
    assert reply_pcm(client.wait(5)) == resampled(3 * CHUNK)


def test_a_call_in_the_middle_of_an_answer_stops_it() -> None:
    server = Server(pacing=Pacing.REALTIME)
    server.plan.add(Phase.REPLY, faults.ToolCalls((faults.ToolCall("f"),)), after_s=0.1)
    client = server.set_up()
    client.say()
    messages = client.wait(5)
    heard = len(client.turn.reply)
    assert 0 < heard < len(resampled(3 * CHUNK))
    assert client.core.state is State.TOOL_PENDING
    [call] = calls_in(messages)
    assert client.send(tool_response(call["id"])) == []
    client.wait(5)
    assert client.turn.reply == resampled(3 * CHUNK)
    assert client.turn.outcome is Outcome.COMPLETE


def test_a_call_of_an_idle_model_is_answered_in_a_turn_of_its_own() -> None:
    server = Server()
    client = server.set_up()
    client.say()
    client.wait(5)
    client.act(faults.ToolCalls((faults.ToolCall("f"),)))
    [call] = calls_in(client.messages)
    assert client.core.state is State.TOOL_PENDING
    client.send(tool_response(call["id"]))
    client.wait(5)
    assert client.turn.kind == "tool"
    assert client.turn.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(
    ("ends_turn", "outcome"), [(True, Outcome.COMPLETE), (False, Outcome.UNANSWERED)]
)
def test_a_call_before_anything_was_said_leaves_no_turn_open(
    ends_turn: bool, outcome: Outcome
) -> None:
    client = Server().set_up()
    client.act(faults.ToolCalls((faults.ToolCall("f"),), ends_turn=ends_turn))
    assert (client.turn.kind, client.turn.outcome) == ("tool", outcome)


def test_a_call_may_come_with_the_end_of_its_turn_and_with_an_old_id() -> None:
    server = Server()
    client = server.set_up(tools=NON_BLOCKING)
    client.say()
    client.wait(5)
    for _ in range(2):
        act = faults.ToolCalls((faults.ToolCall("f", id="1"),), ends_turn=True)
        [message] = client.act(act)
        assert message["toolCall"]["functionCalls"][0]["id"] == "1"
        assert message["serverContent"] == {"turnComplete": True}
        client.send(tool_response("1"))
        client.wait(5)
    assert [turn.kind for turn in server.world.turns] == ["speech", "tool", "tool"]


@pytest.mark.parametrize("named", [False, True])
def test_calls_that_the_server_cancels_are_waited_for_no_longer(named: bool) -> None:
    client, call_id = calling(Server())
    act = faults.CancelCalls((call_id, "never made") if named else ())
    messages = client.act(act)
    ids = [call_id, "never made"] if named else [call_id]
    assert messages[0] == {"toolCallCancellation": {"ids": ids}}
    client.wait(5)
    assert client.turn.reply == resampled(3 * CHUNK)
    client.send(tool_response(call_id))
    assert client.closing == ""


# --- handles


def resume(server: Server, handle: str, **fields: object) -> Client:
    client = server.connect()
    client.send(setup(sessionResumption={"handle": handle}, **fields))
    return client


def test_a_handle_brings_the_conversation_back() -> None:
    server = Server()
    client = server.set_up()
    for _ in range(2):
        client.say()
        client.wait(5)
    client.leave()
    again = resume(server, client.handles[-1])
    again.say()
    assert again.turn.context == (1, 2)
    assert again.core.record.resumed_handle == client.handles[-1]


def test_an_older_handle_has_lost_what_came_after_it() -> None:
    server = Server()
    client = server.set_up()
    for _ in range(2):
        client.say()
        client.wait(5)
    client.leave()
    again = resume(server, client.handles[1])
    again.say()
    assert again.turn.context == (1,)


def test_a_turn_that_was_cut_off_is_not_remembered() -> None:
    server = Server()
    client = server.set_up()
    client.say()
    client.wait(0.4)
    client.leave(1006)
    assert client.turn.outcome is Outcome.LOST
    again = resume(server, client.handles[-1])
    again.say()
    assert again.turn.context == ()


def test_no_handles_unless_asked_for() -> None:
    client = Server(handle_interval_s=0.9).connect()
    client.send({"setup": {"model": setup()["setup"]["model"]}})
    client.send(TEXT)
    client.wait(5)
    assert HANDLE not in kinds(client.messages)


def test_handles_come_again_and_again_if_wanted() -> None:
    client = Server(handle_interval_s=0.9).set_up()
    client.wait(3)
    assert len(client.handles) == 4
    assert len(set(client.handles)) == 4
    assert client.core.record.handles == client.handles


def test_the_old_connection_has_to_be_closed_first() -> None:
    server = Server()
    client = server.set_up()
    again = resume(server, client.handles[-1])
    assert again.messages == []
    assert again.closing == "1011 Internal error encountered."
    client.leave()
    assert resume(server, client.handles[-1]).closing == ""


def test_a_handle_of_another_model_is_taken_and_then_fails_for_ever() -> None:
    server = Server()
    client = server.set_up()
    client.leave()
    for _ in range(2):
        again = resume(server, client.handles[-1], model="models/gemini-3.1-flash-live-preview")
        assert again.messages == [{"setupComplete": {}}]
        assert again.closing == "1011 Internal error encountered."
    assert resume(server, client.handles[-1]).closing == ""


def test_a_handle_expires_two_hours_after_the_last_connection() -> None:
    server = Server(go_away_after_s=None)
    client = server.set_up()
    client.wait(8000)
    client.leave()
    server.now += 7199
    again = resume(server, client.handles[-1])
    assert again.closing == ""
    again.leave()
    server.now += 7201
    assert resume(server, client.handles[-1]).closing == (
        "1008 BidiGenerateContent session not found"
    )


def test_a_handle_of_somebody_else_is_not_found() -> None:
    server = Server(keys=("a", "b"))
    client = server.connect("a")
    client.send(setup())
    client.leave()
    other = server.connect("b")
    other.send(setup(sessionResumption={"handle": client.handles[-1]}))
    assert other.closing == "1008 Requested entity was not found."


# --- time


def test_a_quiet_connection_is_closed_without_notice() -> None:
    client = Server(idle_timeout_s=150.0).set_up()
    client.wait(100)
    client.send(audio())  # even what is discarded is input
    client.wait(149)
    assert client.closing == ""
    assert client.wait(1) == []
    assert client.closing == ABORTED
    assert (client.core.record.closed_by, client.core.record.close_code) == ("server", 1008)


def test_a_long_answer_is_not_quiet() -> None:
    client = Server(idle_timeout_s=2.0, pacing=Pacing.REALTIME).set_up()
    client.say(chunks=100)
    client.wait(9.5)
    assert client.turn.outcome is Outcome.COMPLETE
    assert client.closing == ""
    client.wait(2)
    assert client.closing == ABORTED


def test_an_open_window_can_be_too_quiet() -> None:
    client = Server(idle_timeout_s=150.0).set_up()
    client.send(ACTIVITY_START)
    client.wait(150)
    assert client.closing == ABORTED
    assert client.turn.outcome is Outcome.LOST


def test_go_away_at_nine_minutes_and_the_end_fifty_seconds_later() -> None:
    client = Server().set_up()
    client.wait(539)
    assert client.wait(1) == [{"goAway": {"timeLeft": "50s"}}]
    client.wait(49)
    assert client.closing == ""
    client.wait(1)
    assert client.closing == ABORTED


@pytest.mark.parametrize("shown_at", [0, 100, 119])
def test_a_session_with_pictures_ends_after_two_minutes(shown_at: int) -> None:
    client = Server().set_up()
    client.wait(shown_at)
    client.send(picture())
    client.send(picture())
    client.wait(119 - shown_at)
    assert client.closing == ""
    client.wait(1)
    assert client.closing == ABORTED


def test_a_session_that_shows_its_first_picture_too_late_ends_at_once() -> None:
    client = Server().set_up()
    client.wait(130)
    assert client.closing == ""
    client.send(picture())
    assert client.closing == ABORTED


def test_a_session_with_pictures_and_compression_does_not_end() -> None:
    client = Server(go_away_after_s=None).set_up(contextWindowCompression={"slidingWindow": {}})
    client.send(picture())
    client.wait(600)
    assert client.closing == ""


def test_a_late_waking_does_things_in_the_order_they_were_due() -> None:
    server = Server(pacing=Pacing.REALTIME)
    client = server.set_up()
    client.say()
    client.act(faults.GoAway(5.0))
    server.now += 10
    client.core.wake(server.now)
    assert kinds(client.collect())[-2:] == ["turnComplete", HANDLE]
    assert client.closing == ABORTED
    assert client.turn.outcome is Outcome.COMPLETE


# --- faults


def test_a_refused_setup() -> None:
    server = Server()
    server.plan.add(Phase.SETUP, faults.Close(1011, "The service is currently unavailable."))
    client = server.connect()
    assert client.send(setup()) == []
    assert client.closing == "1011 The service is currently unavailable."
    assert server.set_up().closing == ""  # it was planned once


def test_a_setup_that_is_never_answered() -> None:
    server = Server()
    server.plan.add(Phase.SETUP, faults.Silence())
    client = server.connect()
    client.send(setup())
    client.wait(1000)
    assert (client.messages, client.others) == ([], [])


def test_a_setup_that_is_answered_late() -> None:
    server = Server()
    server.plan.add(Phase.SETUP, faults.Pause(), after_s=3)
    client = server.connect()
    assert client.send(setup()) == []
    assert client.wait(2.9) == []
    assert {"setupComplete": {}} in client.wait(0.2)


def test_a_late_setup_is_not_waited_for_by_the_client() -> None:
    server = Server()
    server.plan.add(Phase.SETUP, faults.Pause(), after_s=3)
    client = server.connect()
    client.send(setup())
    client.send(ACTIVITY_START)
    assert client.closing == "1007 Request contains an invalid argument."


def test_an_end_while_the_setup_waits() -> None:
    server = Server()
    server.plan.add(Phase.SETUP, faults.Pause(), after_s=3)
    client = server.connect()
    client.send(setup())
    client.leave()
    assert client.wait(10) == []


@pytest.mark.parametrize(
    ("phase", "after_s"),
    [
        (Phase.IDLE, 0.0),
        (Phase.IDLE, 0.5),
        (Phase.UTTERANCE, 0.0),
        (Phase.UTTERANCE, 0.15),
        (Phase.THINKING, 0.0),
        (Phase.THINKING, 0.4),
        (Phase.REPLY, 0.0),
        (Phase.REPLY, 0.1),
    ],
)
def test_a_connection_that_breaks(phase: Phase, after_s: float) -> None:
    server = Server(pacing=Pacing.REALTIME)
    server.plan.add(phase, faults.Abort(), after_s=after_s)
    client = server.set_up()
    if phase is Phase.IDLE:
        client.wait(after_s)
    else:
        client.say()
        client.wait(5)
        turn = client.turn
        assert turn.outcome is Outcome.LOST
        heard_s, spoken_s = round(turn.utterance_s, 3), round(turn.reply_s, 3)
        assert heard_s == (0.3 if phase in {Phase.THINKING, Phase.REPLY} else after_s and 0.2)
        assert spoken_s == ((0.12 if after_s else 0.04) if phase is Phase.REPLY else 0.0)
    assert client.others == [Reset()]
    assert client.core.record.close_code == 1006
    assert client.wait(10) == []


def test_go_away_in_the_middle_of_an_answer() -> None:
    server = Server(pacing=Pacing.REALTIME)
    server.plan.add(Phase.REPLY, faults.GoAway(0.5), after_s=0.2)
    client = server.set_up(outputAudioTranscription=None)
    client.say(chunks=20)
    messages = client.wait(5)
    assert kinds(messages) == ["inputTranscription", "modelTurn", "goAway", "modelTurn"]
    assert client.closing == ABORTED
    assert client.turn.outcome is Outcome.LOST


def test_a_turn_without_audio() -> None:
    server = Server()
    server.plan.add(Phase.THINKING, faults.NoAudio())
    client = server.set_up()
    messages = client.say() + client.wait(5)
    assert kinds(messages) == [HANDLE, "inputTranscription", "turnComplete", HANDLE]
    assert messages[2] == {"serverContent": {"turnComplete": True}}
    assert client.turn.outcome is Outcome.COMPLETE


def test_no_reply_at_all() -> None:
    server = Server()
    server.plan.add(Phase.THINKING, faults.NoReply())
    client = server.set_up()
    assert client.say() == [{HANDLE: {}}]
    assert client.wait(100) == []
    client.say()  # the connection is fine
    client.wait(5)
    outcomes = [turn.outcome for turn in server.world.turns]
    assert outcomes == [Outcome.UNANSWERED, Outcome.COMPLETE]


@pytest.mark.parametrize("rest", [False, True])
def test_a_premature_turn_complete(rest: bool) -> None:
    server = Server()
    server.plan.add(Phase.THINKING, faults.PrematureTurnComplete(0.1, rest=rest))
    client = server.set_up(outputAudioTranscription=None, inputAudioTranscription=None)
    client.say()
    messages = client.wait(5)
    tail = ["modelTurn", "generationComplete"] if rest else []
    assert kinds(messages) == ["modelTurn", "turnComplete", *tail, HANDLE]
    whole = resampled(3 * CHUNK)
    assert reply_pcm(messages) == (whole if rest else whole[: 3 * 1920])


def test_a_missing_turn_complete() -> None:
    server = Server()
    server.plan.add(Phase.THINKING, faults.MissingTurnComplete())
    client = server.set_up()
    client.say()
    assert kinds(client.wait(100))[-1] == "generationComplete"
    assert client.turn.reply == resampled(3 * CHUNK)
    assert client.turn.outcome is Outcome.UNANSWERED


def test_a_phantom_interruption() -> None:
    server = Server()
    server.plan.add(Phase.IDLE, faults.PHANTOM_INTERRUPTION, after_s=1)
    client = server.set_up()
    assert client.wait(1) == [{"serverContent": {"interrupted": True}}]


def test_raw_bytes_are_sent_as_they_are() -> None:
    client = Server().set_up()
    client.core.act(faults.Inject(b"not JSON"), client.server.now)
    [output] = client.core.take()
    assert output.data == b"not JSON"  # type: ignore[union-attr]  # a Send, or the test fails


def test_a_silent_server_says_nothing_and_never_closes() -> None:
    client = Server(idle_timeout_s=150.0).set_up()
    assert client.act(faults.Silence(pongs=False)) == []
    assert client.others == [Deafen()]
    client.say()
    assert client.wait(1000) == []
    assert client.others == [Deafen()]
    assert client.turn.reply == b""


def test_nothing_more_happens_to_a_closed_connection() -> None:
    client = Server().set_up()
    client.act(faults.Close(1011, "first"))
    client.act(faults.Close(1011, "second"))
    assert client.closing == "1011 first"
    assert len(client.others) == 1


def test_a_plan_is_for_its_turn_and_used_up() -> None:
    server = Server()
    server.plan.add(Phase.THINKING, faults.NoAudio(), turn=2)
    server.plan.add(Phase.THINKING, faults.NoAudio(), connection=2, times=2)
    first = server.set_up()
    silent = []
    for _ in range(3):
        first.say()
        first.wait(5)
        silent.append(not first.turn.reply)
    assert silent == [False, True, False]


@pytest.mark.parametrize(
    ("phase", "fault"),
    [
        (Phase.IDLE, faults.NoReply()),
        (Phase.UPGRADE, faults.Close()),
        (Phase.REPLY, faults.ToolCall("f")),
        (Phase.SETUP, faults.HttpStatus()),
    ],
)
def test_a_fault_at_the_wrong_place_is_a_mistake(phase: Phase, fault: faults.Fault) -> None:
    with pytest.raises(TypeError, match="cannot happen"):
        Server().plan.add(phase, fault)


def test_a_script_of_ones_own() -> None:
    class Every:
        def __init__(self) -> None:
            self.moments: list[Moment] = []

        def faults(self, moment: Moment) -> list[Planned]:
            self.moments.append(moment)
            return []

    server = Server()
    server.world.script = script = Every()
    client = server.set_up()
    client.say()
    client.wait(5)
    assert [(moment.phase, moment.turn) for moment in script.moments] == [
        (Phase.SETUP, None),
        (Phase.IDLE, None),
        (Phase.UTTERANCE, 1),
        (Phase.THINKING, 1),
        (Phase.REPLY, 1),
        (Phase.IDLE, None),
    ]


# --- whatever comes

_ANY_FAULT = [
    faults.Close(),
    faults.Abort(),
    faults.GoAway(1.0),
    faults.Silence(),
    faults.Inject({}),
    faults.NoReply(),
    faults.NoAudio(),
    faults.PrematureTurnComplete(0.05, rest=True),
    faults.MissingTurnComplete(),
    faults.ToolCall("f"),
    faults.ToolCalls((faults.ToolCall("f"), faults.ToolCall("g", id="x")), ends_turn=True),
    faults.CancelCalls(),
    faults.HttpStatus(),
]
_MESSAGES = [
    setup(),
    setup(realtimeInputConfig={}),
    setup(realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"}),
    ACTIVITY_START,
    ACTIVITY_END,
    audio(),
    TEXT,
    CONTENT,
    tool_response("x"),
]


class _Weather:
    """Any fault at any moment."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def faults(self, moment: Moment) -> list[Planned]:
        return self._data.draw(
            st.lists(
                st.builds(Planned, st.sampled_from(_ANY_FAULT), st.sampled_from([0.0, 0.05, 0.5])),
                max_size=1 if moment.phase is not Phase.THINKING else 2,
            )
        )


@given(st.data(), st.booleans())
def test_nothing_a_client_or_a_script_does_breaks_the_protocol(
    data: st.DataObject, windy: bool
) -> None:
    server = Server(idle_timeout_s=3.0, pacing=Pacing.JITTER, late_audio_chunks=1)
    if windy:
        server.world.script = _Weather(data)
    client = server.connect()
    client.send(setup())
    for _ in range(data.draw(st.integers(0, 12))):
        closed = client.core.state is State.CLOSED
        before = (len(client.messages), len(client.others))
        if data.draw(st.booleans()):
            client.wait(data.draw(st.sampled_from([0.0, 0.35, 0.6, 2.0])))
        else:
            client.send(data.draw(st.sampled_from(_MESSAGES)))
        if closed:
            assert before == (len(client.messages), len(client.others))
    client.leave()
    assert client.core.deadline() is None
    assert all(turn.outcome is not Outcome.OPEN for turn in server.world.turns)
    first = [kind for kind in kinds(client.messages) if kind not in {"goAway", ""}][:1]
    assert first in ([], ["setupComplete"])


@pytest.mark.parametrize("phase", [Phase.THINKING, Phase.REPLY])
def test_a_stall_is_followed_by_a_burst(phase: Phase) -> None:
    server = Server(pacing=Pacing.REALTIME)
    server.plan.add(phase, faults.Pause(duration_s=10.0))
    client = server.set_up()
    client.say()
    client.wait(9.0)
    heard_before = len(client.turn.reply)
    client.wait(2.0)
    assert heard_before <= 1920, "at most one chunk"
    assert client.turn.reply == resampled(3 * CHUNK)
    assert client.turn.outcome is Outcome.COMPLETE
