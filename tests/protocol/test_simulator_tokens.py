"""The simulator's ephemeral tokens: how they are made, and what they are good for."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from google import genai
from google.genai import types
from google.genai.errors import APIError, ClientError

from speakerd.simulator.options import DEFAULT_KEY, SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.protocol.simulator_driver import Client, Server, setup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "gemini-3.8-live"
EXPIRED = "1008 The auth token has expired."
USED_UP = "1008 The auth token has no uses left."


def dial(server: Server, token: str, handle: str | None = None) -> Client:
    client = server.connect(token, "v1alpha", constrained=True)
    client.send(setup(sessionResumption={"handle": handle} if handle else {}))
    return client


def handle_of(client: Client) -> str:
    handles = (each.get("sessionResumptionUpdate", {}).get("newHandle") for each in client.messages)
    return str(next(handle for handle in handles if handle))


def test_a_token_begins_one_conversation_and_resumes_it_any_number_of_times() -> None:
    server = Server()
    token = server.world.tokens.mint(DEFAULT_KEY, server.now)
    client = dial(server, token)
    handle = handle_of(client)
    for _ in range(3):
        client.leave()
        client = dial(server, token, handle)
        assert client.closing == ""
    client.leave()
    assert dial(server, token).closing == USED_UP


@pytest.mark.parametrize(("uses", "good_for"), [(2, 2), (0, 5)])
def test_a_token_has_as_many_uses_as_were_asked_for(uses: int, good_for: int) -> None:
    server = Server()
    token = server.world.tokens.mint(DEFAULT_KEY, server.now, uses=uses)
    for _ in range(good_for):
        client = dial(server, token)
        assert client.closing == ""
        client.leave()
    assert dial(server, token).closing == ("" if uses == 0 else USED_UP)


def test_a_conversation_begins_in_the_first_minute_and_goes_on_for_half_an_hour() -> None:
    server = Server(go_away_after_s=None)
    token = server.world.tokens.mint(DEFAULT_KEY, server.now, uses=0)
    client = dial(server, token)
    handle = handle_of(client)
    client.leave()
    server.now += 60
    assert dial(server, token).closing == EXPIRED
    resumed = dial(server, token, handle)
    assert resumed.closing == ""
    resumed.wait(1739)
    assert resumed.closing == ""
    resumed.wait(1)
    assert resumed.closing == EXPIRED
    assert dial(server, token, handle).closing == EXPIRED


def test_what_nobody_has_minted_is_no_token() -> None:
    assert dial(Server(), f"auth_tokens/{DEFAULT_KEY}").closing.startswith("1007 API key not valid")


def test_a_model_that_the_server_does_not_know_is_taken_for_one_of_the_project() -> None:
    server = Server()
    client = server.connect(server.world.tokens.mint(DEFAULT_KEY, server.now), constrained=True)
    client.send(setup(model="models/nobody"))
    assert client.closing.startswith("1007 token-based requests cannot use project-scoped")


def test_a_token_of_another_key_does_not_resume() -> None:
    server = Server(keys=(DEFAULT_KEY, "other"))
    mint = server.world.tokens.mint
    client = dial(server, mint(DEFAULT_KEY, server.now))
    handle = handle_of(client)
    client.leave()
    assert dial(server, mint(DEFAULT_KEY, server.now), handle).closing == ""
    assert dial(server, mint("other", server.now), handle).closing.startswith("1008 Requested")


# --- over TLS


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorOptions(speed=0)) as running:
        yield running


def client_of(simulator: Simulator, key: str, version: str = "v1alpha") -> genai.Client:
    context = ssl.create_default_context(cafile=str(simulator.certificate))
    return genai.Client(
        api_key=key,
        http_options=types.HttpOptions(
            base_url=simulator.base_url,
            api_version=version,
            async_client_args={"ssl": context, "verify": context, "close_timeout": 1},
        ),
    )


@pytest.mark.filterwarnings("ignore:The SDK's")
async def test_the_sdk_makes_a_token_and_connects_with_it(simulator: Simulator) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    maker = client_of(simulator, DEFAULT_KEY).aio
    async with maker:
        config = types.CreateAuthTokenConfig(uses=1, expire_time=soon)
        name = (await maker.auth_tokens.create(config=config)).name
    assert name is not None
    live = client_of(simulator, name).aio.live
    aloud = types.LiveConnectConfig(response_modalities=[types.Modality.AUDIO])
    async with live.connect(model=MODEL, config=aloud):
        pass
    with pytest.raises(APIError, match="no uses left"):
        async with live.connect(model=MODEL, config=aloud):
            pass
    assert all(each.path.endswith("Constrained") for each in simulator.connections)


@pytest.mark.filterwarnings("ignore:The SDK's")
@pytest.mark.parametrize(
    ("key", "version", "status", "message"),
    [
        ("wrong", "v1alpha", 400, "API key not valid"),
        (DEFAULT_KEY, "v1beta", 404, "404"),
    ],
)
async def test_the_sdk_is_refused_a_token(
    simulator: Simulator, key: str, version: str, status: int, message: str
) -> None:
    async with client_of(simulator, key, version).aio as maker:
        with pytest.raises(ClientError, match=message) as caught:
            await maker.auth_tokens.create(config={"uses": 1})
    assert caught.value.code == status


@pytest.mark.parametrize(
    ("key", "body", "status", "message"),
    [
        (DEFAULT_KEY, b"", 200, ""),
        (DEFAULT_KEY, b'{"uses": 0}', 200, ""),
        ("", b"{}", 403, "Method doesn't allow unregistered callers"),
        (DEFAULT_KEY, b"nonsense", 400, "Request contains an invalid argument."),
        (DEFAULT_KEY, b"[]", 400, "Request contains an invalid argument."),
        (DEFAULT_KEY, b'{"uses": -1}', 400, "Request contains an invalid argument."),
        (DEFAULT_KEY, b'{"colour": 1}', 400, 'Unknown name "colour"'),
        (DEFAULT_KEY, b'{"expireTime": "2020-01-01T00:00:00Z"}', 400, "invalid argument"),
        (DEFAULT_KEY, b'{"expireTime": "2099-01-01T00:00:00Z"}', 400, "invalid argument"),
    ],
)
async def test_what_a_token_is_asked_for_with(
    simulator: Simulator, key: str, body: bytes, status: int, message: str
) -> None:
    context = ssl.create_default_context(cafile=str(simulator.certificate))
    async with httpx2.AsyncClient(verify=context, trust_env=False) as http:
        url = f"{simulator.base_url}/v1alpha/auth_tokens"
        answer = await http.post(url, content=body, headers={"x-goog-api-key": key})
    said: dict[str, Any] = json.loads(answer.text)
    assert answer.status_code == status
    if status == 200:
        assert said["name"].startswith("auth_tokens/")
    else:
        assert said["error"]["code"] == status
        assert message in said["error"]["message"]
