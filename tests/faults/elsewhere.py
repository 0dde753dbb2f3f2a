"""Faults that need a story of their own: which test proves what a person experiences of them."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One fault; ``file`` is relative to the checkout, ``test`` a function in it."""

    fault: str
    phase: str
    experience: str
    file: str
    test: str


def _of(file: str, *entries: tuple[str, str, str, str]) -> list[Entry]:
    return [
        Entry(fault, phase, experience, file, test) for fault, phase, experience, test in entries
    ]


ELSEWHERE: dict[str, list[Entry]] = {
    "Presses without a connection": _of(
        "tests/faults/test_press.py",
        (
            "ten seconds are spoken while the connection is made",
            "before setup",
            "the answer: the backlog is sent faster than it was spoken",
            "test_a_backlog_is_sent_faster_than_it_was_spoken",
        ),
        (
            "two sentences while the network is down",
            "before setup",
            "one answer to both, in their order",
            "test_two_sentences_while_the_network_is_down_are_both_delivered_in_order",
        ),
        (
            "the network does not come back within the patience",
            "before setup",
            "a sound: it could not be delivered; the next press works",
            "test_a_network_that_does_not_come_back_in_time_is_told_and_the_next_press_works",
        ),
        (
            "a press while a retry is a minute away",
            "before setup",
            "the answer: the press wakes the backoff",
            "test_a_press_wakes_a_sleeping_backoff",
        ),
    ),
    "What is normal": _of(
        "tests/faults/test_quiet.py",
        (
            "the server closes the connection that nobody uses",
            "idle",
            "nothing; the conversation goes on",
            "test_the_close_of_an_idle_connection_is_normal",
        ),
        (
            "we close it, after SPEAKERD_LINGER_S",
            "idle",
            "nothing; the conversation goes on",
            "test_a_connection_that_nobody_needs_is_closed_and_the_conversation_goes_on",
        ),
        (
            "the server closes it, with SPEAKERD_LINK=always",
            "idle",
            "nothing; it is made again at once",
            "test_a_connection_that_is_always_wanted_is_made_again_without_a_word",
        ),
        (
            "GoAway in every answer",
            "in mid-reply",
            "nothing; no turn is forgotten",
            "test_go_away_between_two_turns_is_not_noticed",
        ),
        (
            "SPEAKERD_CONVERSATION_TIMEOUT_S is over",
            "idle",
            "nothing; the conversation begins anew",
            "test_a_conversation_is_forgotten_after_its_time",
        ),
    ),
    "Restarts and the state file": _of(
        "tests/faults/test_restart.py",
        (
            "the daemon is restarted",
            "idle",
            "the conversation goes on",
            "test_a_restart_goes_on_with_the_conversation",
        ),
        (
            "the power goes",
            "idle",
            "the conversation goes on",
            "test_a_machine_that_loses_its_power_goes_on_too",
        ),
        (
            "a press while it is booting",
            "before setup",
            "the answer",
            "test_what_is_said_before_the_restart_is_over_is_delivered_after_it",
        ),
        (
            "the server has forgotten the handle",
            "before setup",
            "the answer; the conversation begins anew",
            "test_a_handle_that_the_server_has_forgotten_is_dropped",
        ),
        (
            "the handle has expired",
            "before setup",
            "the answer; the conversation begins anew",
            "test_a_handle_that_has_expired_begins_a_fresh_conversation",
        ),
        (
            "the handle is of another model",
            "before setup",
            "it is not presented; the conversation begins anew",
            "test_a_handle_is_never_presented_to_another_model",
        ),
        (
            "the state file is missing, empty, cut short, not text, of something else, a directory",
            "before setup",
            "the conversation begins anew; the journal names the file",
            "test_a_spoilt_state_file_costs_the_context_only",
        ),
        (
            "the state directory cannot be written",
            "idle",
            "a restart begins the conversation anew; the journal says so",
            "test_a_state_directory_that_cannot_be_written_costs_the_context_only",
        ),
    ),
    "Microphone, speaker and button": _of(
        "tests/faults/test_devices.py",
        (
            "the microphone is missing",
            "at the start",
            "at the press a sound: no microphone; the status says which; found again it works",
            "test_a_microphone_that_is_missing_at_the_start_is_told_at_the_press",
        ),
        (
            "the microphone is plugged in while the button is held",
            "in mid-utterance",
            "the answer to what was heard from then on",
            "test_a_microphone_that_is_found_while_the_button_is_held_is_heard",
        ),
        (
            "the microphone is pulled out",
            "in mid-utterance",
            "a sound: no microphone; the connection and the conversation stay",
            "test_a_microphone_that_is_pulled_out_ends_the_sentence_aloud",
        ),
        (
            "the microphone is pulled out",
            "in the tail",
            "the answer: the sentence was said",
            "test_a_microphone_that_is_pulled_out_after_the_sentence_costs_nothing",
        ),
        (
            "the speaker is pulled out",
            "in mid-reply",
            "silence; plugged in again the next answer is heard",
            "test_a_speaker_that_is_pulled_out_ends_the_answer_and_the_next_one_is_heard",
        ),
        (
            "the speaker is missing or busy",
            "at the start",
            "the turn ends; journal and status say which device, and who holds it",
            "test_without_a_speaker_a_turn_ends_and_says_so_in_the_journal",
        ),
        (
            "a thousand xruns",
            "in mid-utterance",
            "the answer; the journal counts them",
            "test_a_storm_of_xruns_is_counted_and_costs_no_turn",
        ),
        (
            "the button is pulled out",
            "in mid-utterance",
            "the answer: it counts as released",
            "test_a_button_that_is_pulled_out_ends_the_sentence_as_if_released",
        ),
        (
            "the button is held",
            "at the start",
            "nothing, until it was released",
            "test_a_button_that_is_held_at_the_start_opens_nothing_until_it_was_released",
        ),
        (
            "the button is stuck",
            "in mid-utterance",
            "the answer to the longest utterance; then nothing, until it was released",
            "test_a_stuck_button_ends_at_the_longest_utterance_and_opens_nothing_more",
        ),
        (
            "the button is mashed 3,000 times",
            "in mid-utterance",
            "the next press works",
            "test_a_mashed_button_wedges_nothing",
        ),
    ),
}
