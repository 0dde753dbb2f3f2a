"""The short way of sound has to give what the SDK gives, or leave it to the SDK."""

from __future__ import annotations

import base64
import copy
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from google.genai.live import AsyncSession
from hypothesis import given
from hypothesis import strategies as st

from speakerd.live import messages
from speakerd.live.shortcut import rest_s, sound_alone

if TYPE_CHECKING:
    from collections.abc import Callable

PCM = bytes(range(256))
KIND = "audio/pcm;rate=24000"


def message(pcm: bytes = PCM, kind: str = KIND, role: str | None = "model") -> dict[str, Any]:
    data = base64.b64encode(pcm).decode()
    turn: dict[str, Any] = {"parts": [{"inlineData": {"mimeType": kind, "data": data}}]}
    return {"serverContent": {"modelTurn": turn | ({"role": role} if role is not None else {})}}


class Socket:
    """Has one message for the SDK."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def recv(self, decode: bool | None = None) -> bytes:
        assert decode is False
        return self._text.encode()


async def by_the_sdk(text: str) -> messages.Said:
    socket = cast("Any", Socket(text))
    session = AsyncSession(
        api_client=cast("Any", SimpleNamespace(vertexai=False)), websocket=socket
    )
    return messages.read(await anext(session.receive()))


@pytest.mark.parametrize("role", ["model", None])
@pytest.mark.parametrize("spaced", [None, 2])
def test_sound_and_nothing_else_is_taken(role: str | None, spaced: int | None) -> None:
    text = json.dumps(message(role=role), indent=spaced)
    assert sound_alone(text) == sound_alone(text.encode()) == (PCM, 24_000)


def _inline(whole: dict[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", whole["serverContent"]["modelTurn"]["parts"][0]["inlineData"])


def _with(change: Callable[[dict[str, Any]], object]) -> str:
    whole = copy.deepcopy(message())
    change(whole)
    return json.dumps(whole)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[" * 100_000,
        "[]",
        "{}",
        '{"serverContent": {}}',
        '{"serverContent": {"modelTurn": null}}',
        _with(lambda whole: whole.update(usageMetadata={"totalTokenCount": 7})),
        _with(lambda whole: whole["serverContent"].update(turnComplete=True)),
        _with(lambda whole: whole["serverContent"].update(interrupted=False)),
        _with(lambda whole: whole["serverContent"]["modelTurn"].update(role="user")),
        _with(lambda whole: whole["serverContent"]["modelTurn"]["parts"].append({"text": "a"})),
        _with(lambda whole: whole["serverContent"]["modelTurn"]["parts"].clear()),
        _with(lambda whole: whole["serverContent"]["modelTurn"]["parts"][0].update(thought=True)),
        _with(lambda whole: _inline(whole).update(displayName="a")),
        _with(lambda whole: _inline(whole).update(mimeType="image/jpeg")),
        _with(lambda whole: _inline(whole).update(mimeType="audio/pcm;rate=1")),
        _with(lambda whole: _inline(whole).update(mimeType=7)),
        _with(lambda whole: _inline(whole).update(data="")),
        _with(lambda whole: _inline(whole).update(data="AAA")),
        _with(lambda whole: _inline(whole).update(data="AA A=")),
        _with(lambda whole: _inline(whole).update(data="-_-_")),
        _with(lambda whole: _inline(whole).update(data="ä")),
        _with(lambda whole: _inline(whole).update(data=None)),
    ],
)
def test_everything_else_is_left_to_the_sdk(text: str) -> None:
    assert sound_alone(text) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
)
_PIECES = {
    "audio": st.sampled_from([KIND, "audio/pcm", "audio/pcm;rate=16000", "audio/PCM", "a/b"]),
    "data": st.binary(max_size=9).map(lambda pcm: base64.b64encode(pcm).decode())
    | st.text(alphabet="AZaz09+/=-_ \n", max_size=9),
}


@given(kind=_PIECES["audio"], data=_PIECES["data"], role=st.sampled_from(["model", "user", None]))
async def test_what_is_taken_is_what_the_sdk_would_have_read(
    kind: str, data: str, role: str | None
) -> None:
    whole = message(role=role)
    _inline(whole).update(mimeType=kind, data=data)
    text = json.dumps(whole)
    if (sound := sound_alone(text)) is not None:
        assert await by_the_sdk(text) == messages.Said(audio=(sound,))


@given(_JSON)
def test_nothing_that_a_server_sends_is_too_much(value: object) -> None:
    assert sound_alone(json.dumps(value)) is None


@pytest.mark.parametrize(("lasts_s", "rests_s"), [(0.0, 0.0), (0.19, 0.0), (0.2, 0.1), (60.0, 0.1)])
def test_nobody_rests_before_there_is_more_than_enough_to_play(
    lasts_s: float, rests_s: float
) -> None:
    assert rest_s(lasts_s) == rests_s
