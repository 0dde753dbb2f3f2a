"""What is going on, in words for people: pure, one line each, with the remedy if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation.effects import Notice
from speakerd.conversation.events import Device

if TYPE_CHECKING:
    from speakerd.conversation.core import Status

#: What the journal says when the person is told something by sound.
_NOTICES: dict[Notice, str] = {
    Notice.NO_REPLY: "the model chose to say nothing",
    Notice.NOT_DELIVERED: "what was said could not be delivered: no connection in time",
    Notice.NO_ANSWER: "what was said was delivered, but nothing answered it",
    Notice.ANSWER_CUT: "the answer was cut off",
    Notice.RESULT_LOST: "a tool was run, but the answer with its result was lost",
    Notice.KEY_REFUSED: "the API key is refused: set GEMINI_API_KEY to a valid one",
    Notice.MODEL_GONE: "the model is not available: set SPEAKERD_MODEL to a current one",
    Notice.SETUP_REFUSED: "the server refuses the settings: see the reason above",
    Notice.QUOTA_USED_UP: "the quota of the API key is used up: wait, or raise it",
    Notice.NO_MICROPHONE: "the microphone gave no sound: see SPEAKERD_CAPTURE_DEVICE",
    Notice.SPEAKER_LOST: "the speaker is lost: see SPEAKERD_PLAYBACK_DEVICE",
}

#: The option that says which device it is; the button's reasons name their pin.
_OPTIONS: dict[Device, str] = {
    Device.MICROPHONE: "SPEAKERD_CAPTURE_DEVICE",
    Device.SPEAKER: "SPEAKERD_PLAYBACK_DEVICE",
}


def notice_line(notice: Notice) -> str:
    """What the person is being told."""
    return _NOTICES[notice]


def missing_line(device: Device, reason: str) -> str:
    """What the journal says of a device that is not there, or no longer."""
    option = _OPTIONS.get(device)
    return f"{device.value} missing: {reason}" + (f"; see {option}" if option else "")


def without_line(status: Status) -> str:
    """What the journal says when the server takes the setup only without some part of it."""
    if not status.without:
        return f"{status.model} is asked for everything again"
    left_out = " and ".join(status.without)
    return f"the server refuses {left_out} for {status.model}: going on without it"


def status_line(status: Status) -> str:
    """For ``systemctl status``: what it is doing, and what is missing."""
    missing = [
        f"{name} missing" for name, word in status.devices if word not in {"ready", "starting"}
    ]
    return ", ".join([status.state, f"link {status.link}", *missing])
