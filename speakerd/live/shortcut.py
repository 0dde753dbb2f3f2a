"""The short way of a reply's sound: past the SDK's objects, to whoever plays it.

Nearly all that a server sends are messages with a moment of sound and nothing else. google-genai
makes objects of each before anybody can look at it, and that is four fifths of what receiving it
costs (docs/benchmarks.md). A message of exactly this shape is read here; the SDK gets every other
as it came, and so does it get this one where anything about it is unusual.

Servers speak faster than anybody listens. While there is more than enough to be played, what comes
is taken a few messages at a time: to be woken for each costs more than to read it.
"""

from __future__ import annotations

import binascii
import json
from contextvars import ContextVar
from typing import TYPE_CHECKING

from speakerd.audio.pcm import PLAYABLE_RATES_HZ
from speakerd.live.messages import rate_hz

if TYPE_CHECKING:
    from collections.abc import Callable

    #: Takes a message for itself, and says for how many seconds the next one is not needed; or
    #: leaves it to the SDK: None.
    Taker = Callable[[bytes | str], float | None]

#: How long nobody is woken, and how much there must be to play beyond that. What is not sound
#: comes so much later, in the middle of an answer only.
_REST_S = 0.1
_RESERVE_S = 0.1

#: Who may take the messages that are received in this context, before the SDK has them.
taker: ContextVar[Taker | None] = ContextVar("taker", default=None)


def rest_s(lasts_s: float) -> float:
    """For how long the next message may wait where ``lasts_s`` are left to play."""
    return _REST_S if lasts_s >= _REST_S + _RESERVE_S else 0.0


def sound_alone(message: bytes | str) -> tuple[bytes, int] | None:
    """The sound of a message that has nothing else: S16_LE mono PCM, not empty, and its rate in Hz.

    None for every other message, whatever it is.
    """
    try:
        whole = json.loads(message)
    except (ValueError, RecursionError):
        return None
    match whole:
        case {
            "serverContent": {
                "modelTurn": {"parts": [{"inlineData": {"mimeType": str(kind), "data": str(data)}}]}
            }
        } if _has_nothing_else(whole, kind, data) and kind.startswith("audio/pcm"):
            rate = rate_hz(kind)
        case _:
            return None
    try:
        pcm = binascii.a2b_base64(data, strict_mode=True)
    except ValueError:  # also where it is not ASCII
        return None
    return (pcm, rate) if pcm and rate in PLAYABLE_RATES_HZ else None


def _has_nothing_else(message: object, kind: str, data: str) -> bool:
    turn = {"parts": [{"inlineData": {"mimeType": kind, "data": data}}]}
    known = (turn | {"role": "model"}, turn)  # what 3.8 sends (field), and what is documented
    return any(message == {"serverContent": {"modelTurn": one}} for one in known)
