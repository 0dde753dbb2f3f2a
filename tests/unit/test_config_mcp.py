"""The file of SPEAKERD_MCP_SERVERS: what it may say, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from speakerd.config import examine, load, mcp
from speakerd.config.changes import compare
from speakerd.errors import ConfigError

HOME = {
    "url": "http://homeassistant.local:8123/api/mcp",
    "headers": {"Authorization": "Bearer {credential:home-assistant}"},
    "allow": ["Hass*"],
    "deny": ["*Vacuum*"],
    "limit_s": 10,
}
FILES = {"command": ["/usr/bin/node", "some-server"], "environment": {"ROOT": "/srv"}}


def of(**servers: object) -> mcp.Servers:
    return mcp.parse(Path("/etc/mcp.json"), {"servers": servers})


def test_servers_are_at_an_address_or_a_command() -> None:
    home, files = of(home=HOME, files=FILES).servers
    assert home == mcp.Server(
        "home",
        url="http://homeassistant.local:8123/api/mcp",
        headers=(("Authorization", "Bearer {credential:home-assistant}"),),
        allow=("Hass*",),
        deny=("*Vacuum*",),
        limit_s=10.0,
    )
    assert files == mcp.Server(
        "files", command=("/usr/bin/node", "some-server"), environment=(("ROOT", "/srv"),)
    )
    assert of().servers == ()


@pytest.mark.parametrize(
    ("tool", "allowed"),
    [("HassTurnOn", True), ("HassVacuumStart", False), ("GetLiveContext", False)],
)
def test_patterns_say_which_tools(tool: str, allowed: bool) -> None:
    (home,) = of(home=HOME).servers
    assert home.allows(tool) is allowed


def test_without_patterns_all_tools_are_allowed() -> None:
    (files,) = of(files=FILES).servers
    assert files.allows("anything")


URL, COMMAND = {"url": "http://h/mcp"}, {"command": ["/bin/server"]}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({}, 'needs either "url" or "command"'),
        ({**URL, **COMMAND}, 'needs either "url" or "command"'),
        ("http://h/mcp", 'is not of the form {"url": ...} or {"command": [...]}'),
        ({**URL, "header": {}}, "has 'header', which is none of url, headers, command,"),
        ({"url": 5}, "has 'url' wrong: url has to be a text"),
        ({"url": "h:8123/mcp"}, 'has an "url" that is none: http[s]://HOST[:PORT]/PATH'),
        ({"url": "ftp://h/mcp"}, 'has an "url" that is none'),
        ({"url": "http://h:70000/mcp"}, 'has an "url" that is none'),
        ({"url": "http://[h/mcp"}, 'has an "url" that is none'),
        ({"url": "http://h/a b"}, 'has an "url" that is none'),
        ({"url": "http://u:p@h/mcp"}, 'has a secret in its "url": use "headers"'),
        ({"url": "http://h/{credential:x}"}, 'has a secret in its "url": use "headers"'),
        (
            {**URL, "headers": {"X": 1}},
            "has 'headers.X' wrong: headers has to be an object of texts by their names",
        ),
        ({**URL, "headers": {"a b": "x"}}, "has 'a b' in \"headers\", which cannot be a name"),
        ({**URL, "headers": {"X": "a\nb"}}, 'has "headers" with letters that cannot be sent'),
        ({**URL, "headers": {"X": "{credential:}"}}, "a credential is {credential:NAME}"),
        ({**URL, "headers": {"X": "{credential:../key}"}}, "a credential is {credential:NAME}"),
        ({**URL, "environment": {"A": "b"}}, 'has an "environment", which is for a "command"'),
        ({**COMMAND, "headers": {"A": "b"}}, 'has "headers", which are for an "url"'),
        (
            {"command": "/bin/server"},
            "has 'command' wrong: command has to be a list of the absolute path of a program",
        ),
        ({"command": ["server"]}, "whose program, 'server', does not begin with /"),
        ({"command": ["/s", "{credential:x}"]}, 'has a credential in its "command"'),
        ({"command": ["/s", "a\0b"]}, "has a NUL"),
        ({"command": [""]}, "has 'command.0' wrong"),
        ({**COMMAND, "environment": {"A-B": "c"}}, "which cannot be a name there"),
        (
            {**URL, "limit_s": 0},
            "has 'limit_s' wrong: limit_s has to be a number of seconds from 1",
        ),
        ({**URL, "limit_s": 51}, "limit_s has to be a number of seconds from 1 to 50"),
        ({**URL, "allow": "Hass*"}, "has 'allow' wrong: allow has to be a list of patterns"),
        ({**URL, "deny": 5}, "has 'deny' wrong: deny has to be a list of patterns"),
        ({**COMMAND, "environment": []}, "environment has to be an object of texts"),
    ],
)
def test_what_is_wrong_with_a_server_is_told(entry: Any, told: str) -> None:  # noqa: ANN401 - JSON
    with pytest.raises(ValueError, match=r"^where server 'home' ") as caught:
        of(home=entry)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ":1: this is not JSON: Expecting value"),
        ('{"servers": {\n"home": }}', ":2: this is not JSON"),
        ("[" * 100_000, "this cannot be used: maximum recursion depth"),
        ("[]", 'which is not of the form {"servers": {NAME: {...}, ...}}'),
        ('{"mcpServers": {}}', 'which is not of the form {"servers": {NAME: {...}, ...}}'),
        ('{"servers": []}', 'where "servers" is not of the form'),
        ('{"servers": {"a": {"url": "http://h"}, "a": {}}}', '"a" is in one object twice'),
        ('{"servers": {"My home": {}}}', "where the server 'My home' needs another name"),
        ('{"servers": {"-a": {}}}', "where the server '-a' needs another name"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "mcp.json"
    file.touch(0o640)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - see below
        mcp.read(file, text)
    assert told in str(caught.value)


def test_nobody_else_may_write_it(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.touch()
    file.chmod(0o666)
    with pytest.raises(ValueError, match=r"must not: sudo chmod go-w /"):
        mcp.read(file, "{}")


def test_another_file_is_a_change_of_the_option(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    environ = {"GEMINI_API_KEY": "AIza-of-a-test", "SPEAKERD_ENV_FILE": "/dev/null"}
    environ["SPEAKERD_MCP_SERVERS"] = str(file)
    file.write_text('{"servers": {}}', encoding="utf-8")
    old = load(environ)
    file.write_text('{"servers": {"home": {"url": "http://h/mcp"}}}', encoding="utf-8")
    changes = compare(old, load(environ))
    assert changes.options == {"mcp_servers"}
    assert changes.lines == (f"SPEAKERD_MCP_SERVERS: what is in {file}",)


def test_there_may_be_so_many_of_them() -> None:
    with pytest.raises(ValueError, match="more than 16 servers"):
        of(**{f"s{number}": URL for number in range(17)})


def test_a_mistake_names_the_option_the_file_the_server_and_the_key(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text('{"servers": {"home": {"uri": "http://h"}}}', encoding="utf-8")
    environ = {
        "GEMINI_API_KEY": "AIza-of-a-test",
        "SPEAKERD_ENV_FILE": "/dev/null",
        "SPEAKERD_MCP_SERVERS": str(file),
    }
    line = examine(environ).problems["SPEAKERD_MCP_SERVERS"]
    assert line.startswith("SPEAKERD_MCP_SERVERS in the environment is ")
    assert "where server 'home' has 'uri', which is none of url," in line
    assert line.endswith("allowed: the absolute path of a JSON file, see docs/mcp.md")


def test_a_secret_is_filled_in_from_a_credential(tmp_path: Path) -> None:
    (tmp_path / "home-assistant").write_text("eyJ-a-long-token\n", encoding="utf-8")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    text = "Bearer {credential:home-assistant}"
    assert mcp.filled(text, environ) == "Bearer eyJ-a-long-token"
    assert list(mcp.secrets(of(home=HOME), environ)) == ["eyJ-a-long-token"]
    assert list(mcp.doubts(of(home=HOME))) == []


@pytest.mark.parametrize("environ", [{}, {"CREDENTIALS_DIRECTORY": "/proc/self/fdinfo"}])
def test_a_credential_that_is_missing_is_told(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"LoadCredential=home-assistant to the unit"):
        mcp.filled("Bearer {credential:home-assistant}", environ)


def test_a_secret_in_the_file_is_kept_and_told_of() -> None:
    servers = of(home={**URL, "headers": {"authorization": "Bearer eyJ-a-long-token"}})
    assert "eyJ-a-long-token" in list(mcp.secrets(servers, {}))
    (line,) = mcp.doubts(servers)
    assert "has a secret of server 'home' in it" in line
    assert "eyJ" not in line
    assert "eyJ" not in repr(servers)
