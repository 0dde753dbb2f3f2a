"""The control socket's commands that are about what people do: they become the core's events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.controls import volume_trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from speakerd.conversation.status import Status

    Message = Mapping[str, object]


class Commands:
    """What each command does. ``tell`` hands the core an event, and gives what came of it."""

    def __init__(
        self, tell: Callable[[ev.Event], Iterable[fx.Effect]], status: Callable[[], Status]
    ) -> None:
        self._tell = tell
        self._status = status

    def by_name(self) -> dict[str, Callable[[Message], Message]]:
        """All of them."""
        return {
            "press": lambda _: self._asked(ev.PressRequested()),
            "release": lambda _: self._asked(ev.ReleaseRequested()),
            "stop": lambda _: self._asked(ev.StopRequested()),
            "forget": lambda _: self._asked(ev.ForgetRequested()),
            "tone": lambda _: self._asked(ev.ToneRequested()),
            "say": lambda message: self._say(message, "say"),
            "announce": lambda message: self._say(message, "announce"),
            "volume": self._volume,
            "mute": self._mute,
        }

    def _say(self, message: Message, name: str) -> Message:
        text = message.get("text")
        if not isinstance(text, str) or not text.strip():
            return _refusal(f'{name} needs "text": a string that is not empty')
        return self._asked(ev.SayRequested(text.strip(), read_out=name == "announce"))

    def _volume(self, message: Message) -> Message:
        match message.get("percent"), message.get("step"):
            case None, None:
                status = self._status()
                if status.volume is None:
                    return _refusal(f"the volume is not known: {volume_trouble(status.parts)}")
                return {"ok": True, "volume": status.volume}
            case (bool(), _) | (_, bool()):
                pass  # which Python takes for numbers
            case int(percent), None if 0 <= percent <= 100:
                return self._asked(ev.VolumeRequested(percent))
            case None, int(step) if -100 <= step <= 100:
                return self._asked(ev.VolumeStepped(step))
        return _refusal('volume takes "percent", from 0 to 100, or "step", from -100 to 100')

    def _mute(self, message: Message) -> Message:
        on = message.get("on")
        if on is not None and not isinstance(on, bool):
            return _refusal('mute takes "on": true or false')
        answer = self._asked(ev.MuteRequested(on))
        return {**answer, "muted": self._status().muted} if answer["ok"] else answer

    def _asked(self, event: ev.Event) -> Message:
        for effect in self._tell(event):
            if isinstance(effect, fx.Refused):
                return _refusal(effect.reason)
            if isinstance(effect, fx.Postponed):
                return {"ok": True, "waits_for": effect.after + 1}
        return {"ok": True}


def _refusal(error: str) -> Message:
    return {"ok": False, "error": error}
