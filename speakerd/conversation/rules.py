"""Every time-out and limit of the core, in one place. All durations are seconds."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from speakerd.errors import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The deadline of what is never due.
FOREVER = float("inf")


class LinkPolicy(enum.Enum):
    """When there is a connection; the values are those of ``SPEAKERD_LINK``."""

    ON_DEMAND = "on-demand"  # once at the start, then from the press until the linger is over
    ALWAYS = "always"


class ButtonMode(enum.Enum):
    """How the button works; the values are those of ``SPEAKERD_BUTTON_MODE``."""

    HOLD = "hold"  # down while the person speaks
    TOGGLE = "toggle"  # a tap before, and one after
    AUTO = "auto"  # either, by how long it is down


class TurnTaking(enum.Enum):
    """Who says where a sentence ends; the values are those of ``SPEAKERD_TURN_TAKING``."""

    PUSH_TO_TALK = "push-to-talk"  # the button
    CONVERSATION = "conversation"  # the server, in a conversation that a tap has opened


class SecondButton(enum.Enum):
    """What the second button does; the values are those of ``SPEAKERD_SECOND_BUTTON``."""

    STOP = "stop"
    FORGET = "forget"
    MUTE = "mute"  # on and off in turn
    VOLUME = "volume"  # a tap is louder, a hold softer


def urgent_backoff_s(patience_s: float) -> float:
    """The longest pause between two tries while somebody waits for ``patience_s`` at most.

    Short enough to find the network soon when it is back, and so long that the connections that
    are allowed in a minute last for all of the patience.
    """
    return min(10.0, max(3.0, patience_s / 4))


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules one core lives by; the daemon makes them from the settings."""

    models: tuple[str, ...] = ("gemini-3.8-live",)  # the model, then its fallbacks, in order
    features: frozenset[Feature] = frozenset()  # what is asked of them and may be refused
    lacks: Mapping[str, frozenset[Feature]] = field(default_factory=dict)  # not of these models
    policy: LinkPolicy = LinkPolicy.ON_DEMAND

    keeps_answers: bool = False  # the last one can be heard again
    turn_taking: TurnTaking = TurnTaking.PUSH_TO_TALK
    full_duplex: bool = False  # the microphone does not hear the speaker: one may speak into it
    conversation_silence_s: float = 15.0  # of a conversation that nobody says anything in
    conversation_length_s: float = 300.0  # then it ends in the next pause, whoever speaks
    capture_timeout_s: float = 3.0  # hands free: a microphone that gives nothing by then is missing
    button_mode: ButtonMode = ButtonMode.HOLD
    second_button: SecondButton = SecondButton.STOP
    debounce_s: float = 0.03  # edges this soon after another one are bounce
    tap_s: float = 0.4  # a press that is shorter is a tap
    double_tap_s: float = 0.4  # a tap this soon after the one that ended a sentence is part of it
    late_tap_s: float = 3.0  # so too after the longest utterance, which nobody has to tap for
    repeat_after_s: float = 0.5  # held for so long, a volume button acts again
    repeat_every_s: float = 0.15  # and then so often
    volume_step: int = 5  # percent
    keep_volume_s: float = 5.0  # the volume is written down when it has stayed for so long
    thinking_cue_s: float = 0.0  # so often a sound tells that it thinks; 0: never
    preroll_s: float = 0.3  # an utterance begins this long before its press
    echo_guard_s: float = 0.1  # the pre-roll keeps this far from the speaker's own sound
    min_press_s: float = 0.25  # a shorter press opens no window
    glitch_s: float = 0.02  # no hand presses for less, but a disturbance on a long wire does
    tail_s: float = 0.3  # captured after the release; a press in it goes on with the utterance
    max_utterance_s: float = 60.0  # then the window closes, and the button is blocked

    reply_timeout_s: float = 15.0  # activityEnd to the first sign of life; also a stalled reply
    patience_s: float = 20.0  # a complete utterance waits this long to be on the wire
    work_timeout_s: float = 60.0  # so too, where it has said that it works on more of the answer
    call_end_s: float = 1.0  # a turnComplete this soon after a result may be that of the call
    tool_timeout_s: float = 60.0  # a pending tool call without a result
    max_calls: int = 50  # tool calls in one turn; those beyond are refused
    max_refused_calls: int = 10  # of a model that calls on all the same; then it is given up
    longest_playback_s: float = 1000.0  # a speaker that has not drained by then is lost
    settle_s: float = 10.0  # turnComplete may trail the last audible sample by 7 to 9 s
    max_deliveries: int = 2  # whole deliveries of one utterance, the first included
    max_texts: int = 16  # that wait for a pause
    max_unanswered: int = 4  # utterances kept because nothing has answered them yet

    max_timers: int = 32  # that are set
    max_ahead_s: float = 366 * 86400.0  # that they are set for
    max_missed: int = 8  # timers that are remembered
    missed_s: float = 86400.0  # for so long
    ring_s: float = 600.0  # then it was missed
    ring_late_s: float = 3600.0  # what was due longer ago, while the machine was off, was missed
    ring_patience_s: float = 30.0  # so long it waits for the end of an answer
    ring_pause_s: float = 0.4  # between two phrases
    ring_again_s: float = 5.0  # a phrase that cannot be heard is tried again
    look_at_clock_s: float = 30.0  # so often, where a timer goes by the clock on the wall

    connect_timeout_s: float = 10.0  # TCP, TLS, upgrade, setupComplete; with tokens 20 s more
    close_timeout_s: float = 3.0  # an edge that has not closed by then is not waited for
    linger_s: float = 60.0  # an idle connection is kept for follow-ups (on-demand only)
    conversation_timeout_s: float = 0.0  # forgotten after so long without a turn; 0: never
    handle_grace_s: float = 2.0  # after a turn, for the handle that remembers it
    resume_patience_s: float = 10.0  # resuming is refused: then the sentence comes first
    ask_again_s: float = 3600.0  # what was left out on a mere suspicion is asked for again
    go_away_margin_s: float = 2.0  # this much before the server closes, we do
    stable_s: float = 30.0  # a connection this old resets the backoff, and trusts its handle
    backoff_first_s: float = 1.0  # the second retry; the first is at once, each later one doubles
    backoff_max_s: float = 60.0  # the longest pause
    backoff_urgent_s: float = 5.0  # the longest pause while somebody waits for an answer
    quota_backoff_s: float = 60.0  # at least, and up to twice as long
    max_connects_per_minute: int = 10  # that have left this machine, whatever happens
    connects_for_presses: int = 2  # that many of them only after a press

    def offering(self, *, tools: bool) -> Rules:
        """The same, where the model is offered ``tools``, or is not."""
        others = self.features - {Feature.TOOLS}
        return replace(self, features=others | {Feature.TOOLS} if tools else others)

    def asked_of(self, model: str) -> frozenset[Feature]:
        """What that model is asked for, and may refuse."""
        return self.features - self.lacks.get(model, frozenset())
