"""Servers at an address: the official library's own, by streamable HTTP."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import mcp_types as types
import pytest
import trustme

from tests.tools.mcp_world import QUICK, Official, at, script, serving, text, tool, until, using

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.tools.tool import Result


@pytest.fixture(params=["modern", "legacy, JSON"])
async def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def official(era: str) -> Official:
    return Official(legacy=era != "modern")


@pytest.mark.parametrize("era", ["modern", "legacy", "legacy, JSON"], indirect=True)
async def test_tools_are_listed_and_called(official: Official, era: str) -> None:
    asked = {"type": "object", "properties": {"room": {"type": "string"}}, "required": ["room"]}
    official.tools = [tool("light_on", asked), tool("light_off")]
    async with serving(official, json_response="JSON" in era) as port, using(home=at(port)) as user:
        await user.has("light_on", "light_off")
        assert user.parts == {"mcp home": ""}
        light = user.tools["light_on"]
        assert light.description == "Does light_on."
        assert light.parameters == asked
        assert light.slow
        assert light.origin == "the MCP server home"
        assert await user.call("light_on", room="kitchen") == {"result": "light_on is done"}
        assert official.calls == [("light_on", {"room": "kitchen"})]
        assert user.speaker.acted == 1
        await until(lambda: user.changes == 1)


async def test_all_pages_are_read(official: Official) -> None:
    official.tools, official.page_size = [tool(f"t{number}") for number in range(7)], 3
    async with serving(official) as port, using(home=at(port)) as user:
        await user.has(*(f"t{number}" for number in range(7)))


async def test_a_change_that_it_tells_of_is_read(official: Official) -> None:
    async with serving(official) as port, using(home=at(port)) as user:
        await user.has("light_on")
        await official.change([tool("light_on"), tool("scene")])
        await user.has("light_on", "scene")
        await until(lambda: user.changes == 2)
        await official.tell()  # and nothing has changed
        await until(lambda: official.lists == 3)
        assert await user.call("light_on") == {"result": "light_on is done"}
        assert user.changes == 2


async def test_a_flood_of_changes_is_no_flood_of_lists(official: Official) -> None:
    patient = replace(QUICK, pause_s=30.0)
    async with serving(official) as port, using(limits=patient, home=at(port)) as user:
        await user.has("light_on")
        await official.tell(times=50)
        await until(lambda: official.lists >= 2)
        assert await user.call("light_on") == {"result": "light_on is done"}
        await official.tell(times=50)
        assert await user.call("light_on") == {"result": "light_on is done"}
        assert official.lists == 2


async def test_a_change_that_it_does_not_tell_of_is_found(official: Official) -> None:
    quick = replace(QUICK, look_again_s=0.05)
    async with serving(official) as port, using(limits=quick, home=at(port)) as user:
        await user.has("light_on")
        official.tools = []
        await user.has()


async def test_what_went_wrong_is_an_error(official: Official) -> None:
    official.tools = [tool("broken")]
    official.answers = {"broken": lambda: text("no such room", is_error=True)}
    async with serving(official) as port, using(home=at(port)) as user:
        await user.has("broken")
        assert await user.call("broken") == {"error": "no such room"}


async def test_a_tool_that_only_reads_may_be_asked_twice(official: Official) -> None:
    official.tools = [tool("state", annotations=types.ToolAnnotations(read_only_hint=True))]
    async with serving(official) as port, using(home=at(port)) as user:
        await user.has("state")
        await user.call("state")
        assert user.speaker.acted == 0


async def test_only_what_is_allowed_is_offered(official: Official) -> None:
    official.tools = [tool("HassTurnOn"), tool("HassVacuumStart"), tool("Other")]
    home = {"allow": ["Hass*"], "deny": ["*Vacuum*"]}
    async with serving(official) as port, using(home=at(port, **home)) as user:
        await user.has("HassTurnOn")


async def test_a_secret_header_comes_from_a_credential(official: Official, tmp_path: Path) -> None:
    (tmp_path / "home-assistant").write_text("eyJ-a-long-token\n", encoding="utf-8")
    headers = {"Authorization": "Bearer {credential:home-assistant}"}
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    async with serving(official) as port, using(environ, home=at(port, headers=headers)) as user:
        await user.has("light_on")
    sent = {each.get("authorization") for each in official.headers}
    assert sent == {"Bearer eyJ-a-long-token"}


async def test_a_credential_that_is_missing_is_told() -> None:
    headers = {"Authorization": "Bearer {credential:home-assistant}"}
    async with using(home=at(1, headers=headers)) as user:
        await until(lambda: user.parts)
        assert "there is no credential 'home-assistant': store it" in user.parts["mcp home"]


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        (" \n", "the credential 'home-assistant' is empty"),
        ("eyJ-the-token\nanother-line", "has to be one line of ASCII"),
        ("eyJ-the-token-\N{LATIN SMALL LETTER E WITH ACUTE}", "has to be one line of ASCII"),
        ("eyJ-the-token\0", "has to be one line of ASCII"),
    ],
)
async def test_a_credential_that_is_none_is_told_and_not_shown(
    tmp_path: Path, secret: str, told: str
) -> None:
    (tmp_path / "home-assistant").write_text(secret, encoding="utf-8")
    headers = {"Authorization": "Bearer {credential:home-assistant}"}
    async with using({"CREDENTIALS_DIRECTORY": str(tmp_path)}, home=at(1, headers=headers)) as user:
        await until(lambda: user.parts)
        assert told in user.parts["mcp home"]
        assert "eyJ" not in user.parts["mcp home"]


async def test_a_secret_that_the_server_says_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("eyJ-a-long-token\n", encoding="utf-8")
    repeats = script(
        tmp_path / "server.py",
        'import os, sys; sys.exit("not with " + os.environ["TOKEN"])',
    )
    repeats["environment"] = {"TOKEN": "{credential:token}"}
    async with using({"CREDENTIALS_DIRECTORY": str(tmp_path)}, home=repeats) as user:
        await until(lambda: user.parts.get("mcp home"))
        assert user.parts["mcp home"].endswith("not with [secret]")


async def test_nor_is_it_told_the_model(official: Official, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("eyJ-a-long-token\n", encoding="utf-8")
    headers = {"Authorization": "Bearer {credential:token}"}
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    official.answers = {"light_on": lambda: text("not with eyJ-a-long-token", is_error=True)}
    async with serving(official) as port, using(environ, home=at(port, headers=headers)) as user:
        await user.has("light_on")
        assert await user.call("light_on") == {"error": "not with [secret]"}


async def test_half_a_letter_costs_nothing_but_its_call(official: Official) -> None:
    async with serving(official) as port, using(home=at(port)) as user:
        await user.has("light_on")
        assert "half a letter" in str(await user.call("light_on", room="\ud800"))
        assert user.told == [("mcp home", "")]
        assert await user.call("light_on") == {"result": "light_on is done"}


async def test_one_that_changes_all_the_time_is_told_of_so_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    official = Official()
    limits = replace(QUICK, look_again_s=0.02)
    async with serving(official) as port, using(limits=limits, home=at(port)) as user:
        await until(lambda: user.changes == 1)
        for number in range(2, 7):
            official.tools = [tool(f"t{number}")]
            await until(lambda: f"t{user.changes}" == official.tools[0].name)
        official.tools = [tool("t7")]
        await until(lambda: "change all the time" in caplog.text)
        await user.has("t7")
        lists = official.lists
        await until(lambda: official.lists > lists + 2)
        assert user.changes == 6
        user.reload(home=at(port), shed=at(1))  # somebody is there
        await until(lambda: user.changes == 7)
    assert caplog.text.count("change all the time") == 1


async def test_one_that_hangs_keeps_nobody_waiting_for_the_others() -> None:
    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    done, limits = asyncio.Event(), replace(QUICK, patience_s=0.05)
    async with await asyncio.start_server(hang, "127.0.0.1") as hangs, serving(Official()) as port:
        slow = at(hangs.sockets[0].getsockname()[1])
        async with using(limits=limits, slow=slow, home=at(port)) as user:
            await until(lambda: user.changes == 1)
            assert list(user.tools) == ["light_on"]
            assert user.parts == {"mcp home": ""}
        done.set()


async def test_a_server_that_is_renamed_keeps_the_names_of_its_tools() -> None:
    async with serving(Official()) as port, using(home=at(port)) as user:
        await user.has("light_on")
        user.reload(house=at(port))
        await until(lambda: user.tools)
        assert list(user.tools) == ["light_on"]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "it refuses the headers (HTTP 401): is the token right?"),
        (404, "it has nothing at this address (HTTP 404)"),
        (503, "it answers HTTP 503"),
    ],
)
async def test_a_refusal_is_told(status: int, told: str) -> None:
    official = Official(refuses=status)
    async with serving(official) as port, using(home=at(port)) as user:
        await until(lambda: user.parts)
        assert told in user.parts["mcp home"]
        official.refuses = 0
        await user.has("light_on")
        assert user.parts == {"mcp home": ""}


async def test_a_server_that_is_down_at_first_is_found_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with using(home=at(port)) as user:
        await until(lambda: user.parts)
        assert user.parts["mcp home"].startswith(f"http://127.0.0.1:{port}/mcp: ")
        assert user.tools == {}
        async with serving(Official(), port):
            await user.has("light_on")
        assert [reason == "" for _, reason in user.told] == [False, True]  # each told once


async def test_tools_stay_for_a_while_when_it_is_down(official: Official) -> None:
    quick = replace(QUICK, look_again_s=0.05)
    async with serving(official) as port, using(limits=quick, home=at(port)) as user:
        await user.has("light_on")
        official.refuses = 500
        await until(lambda: user.parts["mcp home"])
        assert list(user.tools) == ["light_on"]
        answer = await user.call("light_on")
        assert str(answer["error"]).startswith("the server home is not there at the moment: ")
        assert user.speaker.acted == 0
        official.refuses = 0
        await until(lambda: not user.parts["mcp home"])
        assert user.changes == 1  # and nobody has noticed
        assert await user.call("light_on") == {"result": "light_on is done"}


async def test_tools_are_taken_away_when_it_stays_down(official: Official) -> None:
    quick = replace(QUICK, look_again_s=0.05, withdraw_s=0.1)
    async with serving(official) as port, using(limits=quick, home=at(port)) as user:
        await user.has("light_on")
        official.refuses = 500
        await user.has()
        await until(lambda: user.changes == 2)


async def test_a_server_that_has_begun_anew_is_asked_once_more() -> None:
    before, after = Official(legacy=True), Official(legacy=True)
    async with serving(before) as port:
        user_of = using(home=at(port))
        user = await user_of.__aenter__()
        await user.has("light_on")
    try:
        async with serving(after, port):
            assert await user.call("light_on") == {"result": "light_on is done"}
            assert len(after.calls) == 1
            await user_of.__aexit__(None, None, None)
    finally:
        await user.servers.close()


async def test_a_call_that_hangs_is_cancelled_there_too(official: Official) -> None:
    official.tools = [tool("hang"), tool("light_on")]
    async with serving(official) as port, using(home=at(port)) as user:
        await user.has("hang", "light_on")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await user.call("hang")
        await until(lambda: official.cancelled == ["hang"])
        assert await user.call("light_on") == {"result": "light_on is done"}
        await official.release()


async def test_several_calls_at_once(official: Official) -> None:
    official.tools = [tool("hang"), tool("light_on")]
    async with serving(official) as port, using(home=at(port)) as user:
        await user.has("hang", "light_on")
        async with asyncio.TaskGroup() as group:
            hanging = [group.create_task(user.call("hang")) for _ in range(3)]
            await until(lambda: len(official.calls) == 3)
            assert await user.call("light_on") == {"result": "light_on is done"}
            await official.release()
        assert [task.result() for task in hanging] == [{"result": "hang is done"}] * 3


async def test_a_result_of_ten_megabytes_costs_only_its_call(official: Official, era: str) -> None:
    official.tools = [tool("much"), tool("light_on")]
    official.answers = {"much": lambda: text("x" * 10_000_000)}
    json_response = "JSON" in era
    async with serving(official, json_response=json_response) as port, using(home=at(port)) as user:
        await user.has("much", "light_on")
        answer: Result = await user.call("much")
        assert str(answer["error"]).startswith("the server home did not do it, or does not say so")
        assert await user.call("light_on") == {"result": "light_on is done"}


async def test_a_long_result_is_cut(official: Official) -> None:
    official.tools = [tool("long")]
    official.answers = {"long": lambda: text("x" * 100_000)}
    async with serving(official) as port, using(home=at(port)) as user:
        await user.has("long")
        answer = await user.call("long")
        assert len(str(answer["result"])) < 12 * 1024
        assert answer["note"] == "only the beginning of 100000 letters: ask for less"


async def test_a_schema_of_its_output_cannot_keep_us_busy(official: Official) -> None:
    slow = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    official.tools = [tool("trap", output_schema=slow)]
    official.answers = {
        "trap": lambda: types.CallToolResult(
            content=[types.TextContent(type="text", text="caught")],
            structured_content={"a": "a" * 40 + "!"},
        )
    }
    async with serving(official) as port, using(home=at(port)) as user:
        await user.has("trap")
        assert await user.call("trap") == {"result": "caught"}


async def test_a_strange_schema_costs_only_its_tool(
    official: Official, caplog: pytest.LogCaptureFixture
) -> None:
    strange = {"type": "object", "properties": {"a": {"$ref": "http://x/y"}}, "required": ["a"]}
    official.tools = [tool("strange", strange), tool("light_on")]
    async with serving(official) as port, using(home=at(port)) as user:
        await user.has("light_on")
        await official.tell()
        await until(lambda: official.lists == 2)
        await until(lambda: user.tools)
    left_out = [line for line in caplog.messages if "left out" in line]
    assert left_out == [
        "mcp home: left out: the tool 'strange', which refers to something that is not in it"
    ]


async def test_two_servers_with_one_name_for_a_tool_keep_apart() -> None:
    one, other = Official(legacy=True), Official()
    async with serving(one) as first, serving(other) as second, using(home=at(first)) as user:
        await user.has("light_on")
        user.reload(home=at(first), shed=at(second))
        await user.has("light_on", "shed_light_on")
        await user.call("shed_light_on")
        assert (len(one.calls), len(other.calls)) == (0, 1)
        assert user.servers.tools({"light_on"})[0].name == "home_light_on"  # one of our own


async def test_a_reload_leaves_those_alone_that_are_as_they_were() -> None:
    one, other = Official(), Official(tools=[tool("scene")])
    async with serving(one) as first, serving(other) as second:
        async with using(home=at(first), shed=at(second)) as user:
            await user.has("light_on", "scene")
            user.reload(home=at(first), shed=at(second, deny=["scene"]))
            await user.has("light_on")
            await until(lambda: other.lists == 2)
            assert one.lists == 1
            user.reload(shed=at(second))
            await user.has("scene")
            assert user.parts == {"mcp shed": ""}
        assert one.lists == 1


async def test_of_too_many_tools_the_first_are_offered(caplog: pytest.LogCaptureFixture) -> None:
    official = Official(tools=[tool(f"t{number:03}") for number in range(70)])
    async with serving(official) as port, using(a=at(port), b=at(port), c=at(port)) as user:
        too_many = "mcp: of 192 tools the last are left out: allow fewer"
        await until(lambda: len(user.tools) == 128 and too_many in caplog.messages)
    assert "mcp a: left out: more than 64 tools: allow fewer of them" in caplog.messages


async def test_a_server_like_home_assistants() -> None:
    """Each request for itself, in JSON, without a session, and nothing is told unasked."""
    official = Official(legacy=True, no_stream=True)
    quick = replace(QUICK, look_again_s=0.1)
    async with (
        serving(official, json_response=True, stateless=True) as port,
        using(limits=quick, home=at(port)) as user,
    ):
        await user.has("light_on")
        assert await user.call("light_on") == {"result": "light_on is done"}
        official.tools = [tool("light_on"), tool("scene")]
        await user.has("light_on", "scene")
        assert user.told == [("mcp home", "")]


async def test_the_certificate_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with serving(Official(), ssl_certfile=str(tmp_path / "server.pem")) as port:
        home = {"url": f"https://127.0.0.1:{port}/mcp"}
        async with using(home=home) as user:
            await until(lambda: user.parts)
            assert "CERTIFICATE_VERIFY_FAILED" in user.parts["mcp home"]
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
            await user.has("light_on")


async def test_one_that_does_not_answer_a_good_bye_is_left_without() -> None:
    official = Official(legacy=True, deaf=True)
    async with serving(official) as port:
        async with using(home=at(port)) as user:
            await user.has("light_on")
        assert official.good_byes == 1
