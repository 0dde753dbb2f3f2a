"""Which turn a server message is about."""

from __future__ import annotations

from speakerd.live.attribution import Attribution, Streamed


def asked(*turns: int, at: float = 0.0) -> Attribution:
    attribution = Attribution(limit_s=1.0)
    for turn in turns:
        attribution.window_opened()
        attribution.utterance_sent(turn, at)
    return attribution


def test_nothing_asked_is_nobodys() -> None:
    assert Attribution().audio(0.0) == 0


def test_a_greeting_inside_the_first_window_is_nobodys() -> None:
    attribution = Attribution()
    attribution.window_opened()
    assert attribution.audio(0.0) == 0


def test_what_comes_after_activity_end_answers_it() -> None:
    attribution = asked(1)
    assert attribution.audio(0.1) == 1
    assert attribution.turn_complete(0.2) == 1


def test_an_ended_answer_leaves_nothing_to_wait_for() -> None:
    attribution = asked(1)
    attribution.turn_complete(0.1)
    attribution.window_opened()
    attribution.utterance_sent(2, 0.2)
    assert attribution.audio(0.2) == 2


def test_audio_while_a_window_is_open_belongs_to_the_answer_spoken_into() -> None:
    attribution = asked(1)
    attribution.window_opened()
    assert attribution.audio(0.1) == 1
    assert attribution.interrupted(0.1) == 1


def test_late_audio_after_the_next_activity_end_still_belongs_to_the_old_answer() -> None:
    attribution = asked(1, 2)
    assert attribution.audio(0.1) == 1
    assert attribution.interrupted(0.2) == 1
    assert attribution.turn_complete(0.2) == 1
    assert attribution.audio(0.3) == 2
    assert attribution.turn_complete(0.4) == 2


def test_audio_after_interrupted_is_new_though_turn_complete_never_came() -> None:
    attribution = asked(1, 2)
    attribution.interrupted(0.1)
    assert attribution.audio(0.2) == 2
    assert attribution.turn_complete(0.3) == 2


def test_a_missing_end_of_the_old_answer_is_not_waited_for_any_longer_than_the_limit() -> None:
    attribution = asked(1, 2, at=5.0)
    assert attribution.audio(5.9) == 1
    assert attribution.audio(6.0) == 2
    assert attribution.turn_complete(6.1) == 2


def test_an_interruption_within_the_window_ends_with_its_turn_complete() -> None:
    attribution = asked(1)
    attribution.window_opened()
    attribution.interrupted(0.1)
    assert attribution.turn_complete(0.1) == 1
    attribution.utterance_sent(2, 0.2)
    assert attribution.about(0.2) == 2
    assert attribution.audio(0.2) == 2


def test_two_answers_spoken_into_end_in_their_order() -> None:
    attribution = asked(1, 2, 3)
    assert attribution.turn_complete(0.1) == 1
    assert attribution.turn_complete(0.2) == 2
    assert attribution.audio(0.3) == 3
    assert attribution.turn_complete(0.4) == 3


def test_an_answer_whose_generation_was_complete_claims_no_more_audio() -> None:
    attribution = asked(1)
    attribution.generation_complete(0.1)
    attribution.window_opened()
    attribution.utterance_sent(2, 0.2)
    assert attribution.audio(0.3) == 2


def test_a_trailing_turn_complete_does_not_end_the_answer_after_it() -> None:
    attribution = asked(1)
    attribution.generation_complete(0.1)
    attribution.window_opened()
    attribution.utterance_sent(2, 0.2)
    assert attribution.turn_complete(5.0) == 1
    assert attribution.audio(5.1) == 2
    assert attribution.generation_complete(5.2) == 2
    assert attribution.turn_complete(5.3) == 2


def test_a_trailing_turn_complete_that_never_comes_is_not_waited_for() -> None:
    attribution = asked(1)
    attribution.generation_complete(0.1)
    attribution.window_opened()
    attribution.utterance_sent(2, 0.2)
    attribution.audio(0.3)
    assert attribution.generation_complete(0.4) == 2
    assert attribution.turn_complete(0.5) == 2


def test_an_answer_generated_after_it_was_spoken_into_claims_no_more_audio() -> None:
    attribution = asked(1)
    attribution.window_opened()
    assert attribution.generation_complete(0.1) == 1
    attribution.utterance_sent(2, 0.2)
    assert attribution.audio(0.3) == 2
    assert attribution.turn_complete(0.4) == 1


def test_a_trailing_end_that_comes_within_the_next_window_is_over() -> None:
    attribution = asked(1)
    attribution.generation_complete(0.1)
    attribution.window_opened()
    assert attribution.interrupted(0.2) == 1
    assert attribution.turn_complete(0.2) == 1
    attribution.utterance_sent(2, 0.3)
    assert attribution.turn_complete(0.4) == 2  # it chose to say nothing


def test_a_trailing_end_that_comes_after_a_quick_window_is_not_the_new_turns() -> None:
    attribution = asked(1)
    attribution.generation_complete(0.1)
    attribution.window_opened()
    attribution.utterance_sent(2, 0.2)
    assert attribution.interrupted(0.3) == 1
    assert attribution.turn_complete(0.3) == 1
    assert attribution.turn_complete(0.4) == 2


def test_an_interruption_in_mid_answer_is_of_that_answer_whatever_trails() -> None:
    attribution = asked(1)
    attribution.generation_complete(0.1)
    attribution.window_opened()
    attribution.utterance_sent(2, 0.2)
    assert attribution.audio(0.3) == 2
    assert attribution.interrupted(0.4) == 2


# --- where the server hears by itself when somebody has spoken


def test_an_answer_belongs_to_what_was_being_sent_when_it_began() -> None:
    streamed = Streamed()
    streamed.utterance_sent(1, 0.0)
    assert (streamed.heard(0.5), streamed.about(0.5)) == (1, 1)
    assert streamed.audio(1.0) == 1
    streamed.utterance_sent(2, 1.0)  # it goes on beside the answer
    assert streamed.audio(1.1) == 1
    assert (streamed.heard(1.2), streamed.about(1.2)) == (2, 1)
    assert streamed.generation_complete(1.3) == 1
    assert streamed.turn_complete(1.4) == 1
    assert streamed.audio(2.0) == 2


def test_after_it_was_spoken_into_nothing_of_it_comes_but_its_end() -> None:
    streamed = Streamed()
    streamed.utterance_sent(1, 0.0)
    streamed.audio(1.0)
    streamed.utterance_sent(2, 1.0)
    assert streamed.interrupted(1.5) == 1
    assert streamed.audio(1.6) == 2
    assert streamed.turn_complete(1.7) == 1
    assert streamed.turn_complete(2.0) == 2


def test_an_interruption_after_the_end_is_about_what_is_still_being_heard() -> None:
    streamed = Streamed()
    streamed.utterance_sent(1, 0.0)
    streamed.audio(1.0)
    streamed.turn_complete(1.1)
    streamed.utterance_sent(2, 1.2)
    assert streamed.interrupted(1.5) == 1
    assert streamed.turn_complete(1.6) == 2


def test_silence_for_an_answer_is_about_what_was_said() -> None:
    streamed = Streamed()
    streamed.utterance_sent(1, 0.0)
    assert streamed.turn_complete(1.0) == 1
    assert not streamed.is_answered(1)


def test_without_an_end_the_next_answer_is_still_the_next_turns() -> None:
    streamed = Streamed()
    streamed.utterance_sent(1, 0.0)
    streamed.audio(1.0)
    streamed.generation_complete(1.1)
    streamed.utterance_sent(2, 3.0)  # heard to its end, and listened again
    assert streamed.about(3.5) == 2
    assert streamed.audio(5.0) == 2
    assert streamed.generation_complete(5.1) == 2
    assert streamed.turn_complete(5.2) == 2


def test_an_end_that_trails_the_next_utterance_is_the_last_turns() -> None:
    streamed = Streamed()
    streamed.utterance_sent(1, 0.0)
    streamed.audio(1.0)
    streamed.generation_complete(1.1)
    streamed.utterance_sent(2, 3.0)
    assert streamed.interrupted(3.5) == 1  # spoken into what is over here, but not there
    assert streamed.turn_complete(3.6) == 1
    assert streamed.audio(5.0) == 2
    assert streamed.turn_complete(5.1) == 2


def test_beside_an_answer_that_has_come_another_one_begins() -> None:
    streamed = Streamed()
    streamed.utterance_sent(1, 0.0)
    streamed.audio(1.0)
    streamed.utterance_sent(2, 1.0)
    streamed.generation_complete(1.1)
    assert streamed.about(1.2) == 1
    assert streamed.audio(2.0) == 2


def test_another_part_of_an_answer_is_for_what_is_sent_then() -> None:
    streamed = Streamed()
    streamed.utterance_sent(1, 0.0)
    streamed.audio(1.0)
    streamed.generation_complete(1.1)
    assert streamed.answer_continues(1.2) == 1
    assert streamed.about(1.3) == 1  # a call, say
    streamed.utterance_sent(2, 3.0)
    assert streamed.about(3.1) == 2
    assert streamed.audio(5.0) == 2
    assert streamed.turn_complete(5.1) == 2


def test_what_is_spoken_into_between_two_parts_may_still_go_on() -> None:
    attribution = Attribution()
    attribution.window_opened()
    attribution.utterance_sent(1, 0.0)
    attribution.audio(1.0)
    attribution.generation_complete(1.1)
    assert attribution.answer_continues(1.2) == 1
    attribution.window_opened()
    attribution.utterance_sent(2, 4.0)
    assert attribution.audio(4.1) == 1
    assert attribution.turn_complete(4.2) == 1
    assert attribution.audio(4.3) == 2
