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
            "a minute is spoken while the connection is made",
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
    "Tokens in place of a key": _of(
        "tests/faults/test_tokens.py",
        (
            "SPEAKERD_TOKEN_COMMAND fails, and then it does not",
            "before setup",
            "the answer, as soon as there is a token",
            "test_what_is_said_while_no_token_comes_is_delivered_when_one_does",
        ),
        (
            "SPEAKERD_TOKEN_COMMAND fails",
            "before setup",
            "a sound: it could not be delivered; the next press works",
            "test_what_is_said_and_no_token_comes_is_told_and_the_next_press_works",
        ),
        (
            "SPEAKERD_TOKEN_COMMAND fails again and again",
            "before setup",
            "the answer: such tries do not count against the limit of a minute",
            "test_tries_for_a_token_do_not_use_up_the_connections_of_a_minute",
        ),
        (
            "the server takes a token no longer, or says that it is unavailable",
            "before setup",
            "the answer; the conversation goes on",
            "test_a_token_that_is_no_longer_taken_is_replaced_without_a_word",
        ),
        (
            "the token expires",
            "before the answer",
            "the answer, a little later: it is asked again",
            "test_a_token_that_expires_before_the_answer_costs_the_person_nothing",
        ),
        (
            "every token is refused",
            "before setup",
            "a sound: the key is refused; the next press works",
            "test_tokens_that_are_refused_are_told_and_mended_by_the_next_press",
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
    "The day's budget": _of(
        "tests/protocol/test_budget.py",
        (
            "four fifths of SPEAKERD_DAILY_BUDGET are used up",
            "idle",
            "in words, once a day, in the pause after the turn: it is almost used up",
            "test_it_warns_in_the_pause_after_the_turn_that_came_near",
        ),
        (
            "all of it is used up, and somebody presses",
            "idle",
            "in words, at once: it is used up; nothing is sent. After midnight it listens again",
            "test_a_press_is_refused_aloud_and_nothing_is_sent",
        ),
        (
            "the budget is raised, and the speaker reloaded",
            "idle",
            "the answer",
            "test_a_larger_budget_counts_after_the_reload",
        ),
        (
            "a restart in the middle of the day",
            "before setup",
            "what was spent is spent; nothing is told twice",
            "test_a_restart_forgets_nothing_and_warns_nobody_twice",
        ),
        (
            "the price of the model is not known",
            "before setup",
            "the answer; the journal and the doctor name SPEAKERD_PRICES",
            "test_a_model_without_a_price_is_not_refused",
        ),
    ),
    "The network": [
        *_of(
            "tests/network/test_refusals.py",
            (
                "nobody listens, and then somebody does",
                "before setup",
                "the answer, as soon as there is a connection",
                "test_what_is_said_while_nobody_listens_is_delivered_when_somebody_does",
            ),
            (
                "nobody listens",
                "before setup",
                "a sound: it could not be delivered; the next press works",
                "test_what_is_said_and_never_delivered_is_told_and_the_next_press_works",
            ),
            (
                "reset at once, reset in the TLS handshake, or no answer to it",
                "before setup",
                "the answer, when the way is good",
                "test_a_way_that_is_bad_for_a_while_costs_the_person_nothing",
            ),
            (
                "the same, when the connection is made again",
                "before setup",
                "the answer; the conversation goes on",
                "test_a_way_that_becomes_bad_costs_the_conversation_nothing",
            ),
            (
                "the same, for good",
                "before setup",
                "a sound for every sentence; ten connections a minute",
                "test_no_trouble_makes_a_storm",
            ),
            (
                "the upgrade is never answered",
                "before setup",
                "the answer, later",
                "test_an_upgrade_that_is_never_answered_is_given_up_and_tried_again",
            ),
            (
                "the upgrade is cut off",
                "before setup",
                "the answer, later",
                "test_an_upgrade_that_is_cut_off_is_tried_again",
            ),
            (
                "the link is up and down, up and down",
                "in mid-utterance",
                "the answer; the conversation goes on",
                "test_a_flapping_link_lets_a_sentence_through_in_the_end",
            ),
        ),
        *_of(
            "tests/network/test_stalls.py",
            (
                "nothing gets through for a while",
                "before setup",
                "the answer",
                "test_a_setup_that_is_answered_late_is_all_that_a_short_stall_costs",
            ),
            (
                "nothing gets through, then a reset",
                "before setup",
                "the answer; the conversation goes on",
                "test_a_setup_that_is_never_answered_is_tried_again",
            ),
            (
                "nothing gets through for a while",
                "idle",
                "nothing",
                "test_a_stall_while_nobody_speaks_goes_unnoticed",
            ),
            (
                "a pong is late",
                "idle",
                "nothing",
                "test_a_pong_may_be_late",
            ),
            (
                "what is sent is swallowed, then a reset",
                "in mid-utterance",
                "the answer, a little later: it is asked again",
                "test_a_sentence_into_a_connection_that_died_quietly_is_sent_again",
            ),
            (
                "nothing gets through for a while",
                "in mid-utterance",
                "the answer",
                "test_a_sentence_that_is_stuck_half_way_arrives_when_the_way_is_free",
            ),
            (
                "nothing gets through, then a reset",
                "in mid-utterance",
                "the answer, a little later: it is asked again",
                "test_a_sentence_that_is_cut_in_half_is_sent_again_whole",
            ),
            (
                "nothing gets through; then it does, or a reset",
                "before the answer",
                "the answer, asked again if need be",
                "test_an_answer_that_is_stuck_before_its_first_sound",
            ),
            (
                "nothing gets through for a while",
                "in mid-reply",
                "all of the answer",
                "test_an_answer_that_stalls_and_comes_in_a_burst_is_heard_whole",
            ),
            (
                "nothing gets through any more",
                "in mid-reply",
                "what had come of the answer; a sound: the answer was cut",
                "test_an_answer_that_is_stuck_half_way_is_told_as_cut_and_the_next_press_works",
            ),
            (
                "nothing gets through for longer than the patience",
                "in mid-utterance",
                "a sound: it could not be delivered; the next press works",
                "test_a_way_that_stays_clogged_is_told_and_forgotten_when_it_is_free",
            ),
            (
                "the server holds the lost connection for alive, for a while",
                "before setup",
                "the answer; the conversation goes on",
                "test_a_server_that_has_not_noticed_the_end_resumes_the_conversation_when_it_does",
            ),
        ),
        *_of(
            "tests/network/test_black_hole.py",
            (
                "the cable is pulled, and plugged in",
                "in mid-utterance",
                "the answer, a little later: it is asked again",
                "test_a_sentence_into_a_black_hole_is_sent_again_when_the_network_is_back",
            ),
            (
                "the cable was pulled unnoticed",
                "idle",
                "the answer, a little later: it is asked again",
                "test_a_connection_that_died_while_nobody_spoke_is_found_dead_by_the_first_words",
            ),
            (
                "the cable is pulled",
                "idle",
                "nothing: a ping finds out",
                "test_a_connection_that_died_is_found_dead_by_a_ping_before_anybody_speaks",
            ),
            (
                "the cable is pulled for a moment",
                "in mid-utterance",
                "nothing: TCP bridges it",
                "test_an_outage_that_tcp_bridges_goes_unnoticed",
            ),
            (
                "the cable is pulled",
                "before the answer",
                "the answer, a little later: it is asked again",
                "test_an_answer_that_never_comes_out_of_a_black_hole_is_asked_for_again",
            ),
            (
                "there is no network, and then there is",
                "before setup",
                "the answer",
                "test_what_is_said_without_a_network_is_delivered_when_there_is_one",
            ),
            (
                "the cable stays out for longer than the patience",
                "in mid-utterance",
                "a sound: it could not be delivered; the conversation goes on",
                "test_a_black_hole_that_stays_is_told_and_the_conversation_goes_on_after_it",
            ),
            (
                "the cable is out",
                "at the stop",
                "the daemon ends in its 2 s",
                "test_the_daemon_ends_in_a_black_hole_in_the_time_it_promises",
            ),
        ),
        *_of(
            "tests/network/test_names.py",
            (
                "the name of the server does not resolve",
                "before setup",
                "a sound: it could not be delivered; the next press works",
                "test_a_name_that_nobody_has_is_told_and_the_next_press_works",
            ),
            (
                "the name resolves at last",
                "before setup",
                "the answer",
                "test_a_name_is_found_as_soon_as_somebody_has_it",
            ),
            (
                "the resolver does not answer",
                "at the stop",
                "the daemon ends in its 2 s",
                "test_a_resolver_in_a_black_hole_does_not_hold_up_the_end",
            ),
        ),
        *_of(
            "tests/network/test_certificates.py",
            (
                "the certificate is of somebody else, for another name, expired, or not valid yet",
                "before setup",
                "the answer, when it is good; the journal names what is wrong",
                "test_a_wrong_certificate_is_told_in_the_journal_and_heals",
            ),
            (
                "the same, when the connection is made again",
                "before setup",
                "the answer, when it is good; the conversation goes on",
                "test_a_conversation_outlives_a_wrong_certificate",
            ),
            (
                "the same, for good",
                "before setup",
                "a sound: it could not be delivered; ten connections a minute",
                "test_a_certificate_that_stays_wrong_is_told_and_makes_no_storm",
            ),
        ),
        *_of(
            "tests/network/test_clock.py",
            (
                "the clock says 1970, until it is set",
                "before setup",
                "the answer, when it is set",
                "test_what_is_asked_in_1970_is_delivered_when_the_clock_is_set",
            ),
        ),
    ],
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
    "A conversation that the server has lost, with SPEAKERD_HISTORY_TURNS": _of(
        "tests/protocol/test_history.py",
        (
            "the handle has expired",
            "before setup",
            "the answer; the model knows the last turns",
            "test_the_conversation_goes_on_where_the_server_has_lost_it",
        ),
        (
            "the server closes the connection that was told of them",
            "before the answer",
            "the answer; the conversation begins anew",
            "test_a_server_that_refuses_it_answers_without",
        ),
        (
            "the server refuses a setup that announces them",
            "before setup",
            "the answer; the conversation begins anew",
            "test_so_does_one_that_refuses_the_announcement",
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
    "The camera": [
        *_of(
            "tests/protocol/test_camera.py",
            (
                "it is slow, hangs, fails, prints nonsense or without an end",
                "in mid-utterance",
                "the answer, without the picture; the journal says why, once",
                "test_a_camera_that_does_not_do_its_work_costs_the_picture_only",
            ),
            (
                "it is ready only after the sentence",
                "in mid-utterance",
                "the answer, at once and without the picture",
                "test_the_end_of_a_sentence_does_not_wait_for_a_slow_camera",
            ),
            (
                "the connection is reset",
                "before the answer",
                "the answer: the sentence is sent again with its picture",
                "test_a_picture_is_sent_again_with_its_sentence",
            ),
            (
                "sessions with pictures end after two minutes",
                "idle",
                "nothing: the context is compressed, and ours does not",
                "test_ours_is_no_session_that_ends_after_two_minutes",
            ),
            (
                "the daemon is stopped while a picture is taken",
                "in mid-utterance",
                "nothing of the camera's command is left",
                "test_nothing_of_it_is_left_when_the_daemon_ends",
            ),
        ),
        *_of(
            "tests/edges/test_commands.py",
            (
                "its driver hangs: it cannot even be killed",
                "in mid-utterance",
                "the answer, without pictures; the status says that it hangs",
                "test_one_that_cannot_be_ended_holds_nothing_up_and_no_other_is_started",
            ),
            (
                "its command leaves a child behind",
                "in mid-utterance",
                "the answer, with the picture; the child is ended",
                "test_what_it_leaves_running_is_ended_with_it",
            ),
        ),
    ],
    "Servers of tools": [
        *_of(
            "tests/protocol/test_mcp.py",
            (
                "an MCP server is not there",
                "at any time",
                "the answer, without its tools; the status says why",
                "test_a_server_that_is_not_there_costs_a_turn_nothing",
            ),
        ),
        *_of(
            "tests/tools/test_mcp_http.py",
            (
                "it is restarted",
                "at any time",
                "the answer: it is asked once more, in a session of its own",
                "test_a_server_that_has_begun_anew_is_asked_once_more",
            ),
            (
                "it is down for a while",
                "at any time",
                "the answer says that it is not there; the conversation is not disturbed",
                "test_tools_stay_for_a_while_when_it_is_down",
            ),
            (
                "one of its tools hangs",
                "in a call",
                "the answer says so, after its limit; the server is told",
                "test_a_call_that_hangs_is_cancelled_there_too",
            ),
            (
                "one of its tools answers with ten megabytes",
                "in a call",
                "the answer says that it did not work",
                "test_a_result_of_ten_megabytes_costs_only_its_call",
            ),
            (
                "one of its tools cannot be described to Gemini",
                "at any time",
                "the answer, without that tool; the journal says so once",
                "test_a_strange_schema_costs_only_its_tool",
            ),
        ),
        *_of(
            "tests/tools/test_mcp_stdio.py",
            (
                "its program is killed",
                "in a call",
                "the answer says that it did not work; the next call does",
                "test_one_that_is_killed_in_a_call_says_so_and_is_begun_anew",
            ),
            (
                "its program prints without end",
                "at any time",
                "the answer",
                "test_output_without_end_costs_nobody_anything",
            ),
        ),
    ],
    "What only systemd can mend": _of(
        "tests/audio/test_stalls.py",
        (
            "a capture call that does not come back",
            "at any time",
            "deaf for half a minute: the service is started again, and the conversation goes on",
            "test_a_capture_call_that_does_not_come_back_is_a_stall",
        ),
        (
            "a playback call that does not come back",
            "in mid-reply",
            "the same",
            "test_a_playback_call_that_does_not_come_back_is_a_stall_although_it_has_the_lock",
        ),
        (
            "the thread of the microphone or of the speaker has died",
            "at any time",
            "the same",
            "test_a_capture_thread_that_is_dead_stands_still_for_ever",
        ),
    ),
    "New settings": _of(
        "tests/protocol/test_reload.py",
        (
            "an env file that cannot be used",
            "at a reload",
            "nothing: it is refused, with its reasons, and the old settings stay",
            "test_what_cannot_be_used_is_refused_and_loses_nothing",
        ),
        (
            "a reload",
            "in mid-utterance",
            "the answer: the turn ends by the settings it began with",
            "test_a_sentence_under_way_is_not_disturbed",
        ),
        (
            "the key was refused, and is mended",
            "at a reload",
            "it works",
            "test_a_key_that_was_refused_is_mended_by_a_reload",
        ),
    ),
}
