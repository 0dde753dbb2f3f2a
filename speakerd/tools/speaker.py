"""The speaker itself, by word of mouth.

What is asked for here is done at once or when the answer has been heard, and the result says which.
The model speaks of each result: one that it was told in silence would leave a person who has asked
for something with nothing to hear, where it has said nothing before.
"""

from __future__ import annotations

from speakerd.conversation.budget import Budget
from speakerd.conversation.events import ForgetRequested, LeaveRequested, RepeatRequested
from speakerd.tools.tool import Result, SpeakerPort, handled

_BUDGETS = {
    Budget.FINE: {},
    Budget.NEAR: {"budget": "most of what today may cost is spent"},
    Budget.SPENT: {"budget": "all of what today may cost is spent"},
}


def get_speaker_state(speaker: SpeakerPort) -> Result:
    """Tell how this speaker is: its microphone, its volume, when it listens, and what it runs."""
    status = speaker.status
    if status.conversing:
        listens = "by itself, until a tap of the button or silence ends the conversation"
    else:
        listens = f"to who {'taps' if status.tapped else 'holds'} the button"
    return {
        "microphone": "off" if status.muted else "on",
        "volume_percent": "not known" if status.volume is None else status.volume,
        "listens": listens,
        "model": status.model,
        **_BUDGETS[status.budget],
    }


def mute_microphone(speaker: SpeakerPort) -> Result:
    """Switch the microphone off, where a person asks for that. You cannot switch it on again."""
    if speaker.status.muted:
        return {"microphone": "off already"}
    if not speaker.unmuted_by:
        return {
            "error": "no button of this speaker would switch its microphone on again, so it is not "
            "switched off by voice; it has a mute switch, or nobody hears what is said while its "
            "button is left alone"
        }
    if reason := speaker.ask(LeaveRequested(mute=True)):
        return {"error": reason}
    return {
        "microphone": "off from your answer on",
        "say": f"that it is off, and that only {speaker.unmuted_by} switches it on again",
    }


@handled(hands_free=True)
def end_conversation(speaker: SpeakerPort) -> Result:
    """Listen no more after your answer, where a person says goodbye or that this is all."""
    if reason := speaker.ask(LeaveRequested()):
        return {"error": reason}
    return {"conversation": "over after your answer", "say": "goodbye, in a word or two"}


def forget_conversation(speaker: SpeakerPort) -> Result:
    """Forget all that was said, where a person asks for that or for a new conversation."""
    if speaker.status.conversing and (reason := speaker.ask(LeaveRequested())):
        return {"error": reason}  # it is forgotten when it is over
    if reason := speaker.ask(ForgetRequested()):
        return {"error": reason}
    return {
        "conversation": "forgotten when your answer has been heard; the next one begins anew",
        "say": "that it is forgotten, in a few words",
    }


def repeat_last_answer(speaker: SpeakerPort) -> Result:
    """Play the last answer again as it sounded, where a person wants to hear it once more.

    Do not say it again yourself.
    """
    if reason := speaker.ask(RepeatRequested()):
        return {"error": f"{reason}; say it again yourself, if you know what it was"}
    return {
        "last_answer": "played again after what you say now",
        "say": "that here it is, in two or three words",
    }


TOOLS = (
    get_speaker_state,
    mute_microphone,
    end_conversation,
    forget_conversation,
    repeat_last_answer,
)
