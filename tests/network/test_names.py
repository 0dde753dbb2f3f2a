"""The server's name: it cannot be resolved, or nobody who could resolve it answers."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.effects import Notice
from speakerd.demo.process import DaemonProcess
from speakerd.service import client
from tests.network import namespace
from tests.network.namespace import Namespace
from tests.network.rig import Person

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from speakerd.simulator.server import Simulator
    from tests.network.certificates import Certificates
    from tests.network.relay import Relay

NAME = "speakerd.invalid"  # nobody has it (RFC 2606)
needs_a_namespace = pytest.mark.skipif(bool(namespace.missing()), reason=namespace.missing())
#: No sound and no pins: what is asked in writing is asked all the same.
BARE = {
    "GPIOZERO_PIN_FACTORY": "mock",
    "SPEAKERD_CAPTURE_DEVICE": "none",
    "SPEAKERD_PLAYBACK_DEVICE": "none",
}


async def test_a_name_that_nobody_has_is_told_and_the_next_press_works(
    relay: Relay, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base_url = f"https://127.0.0.1:{relay.port}"
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"https://{NAME}:{relay.port}")
    async with (broken := Person(tmp_path, patience_s=0.3)).running():
        assert (await broken.has_a_turn())["outcome"] == "not-delivered"
        await broken.status_says("the server's name cannot be resolved: ")
    assert broken.was_told(Notice.NOT_DELIVERED)
    assert relay.accepted == 0
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", base_url)
    async with (mended := Person(tmp_path)).running():
        assert (await mended.has_a_turn())["outcome"] == "answered"
    assert len(simulator.turns) == 1


@pytest.fixture
def elsewhere() -> Iterator[Namespace]:
    with Namespace() as made:
        yield made


def python_with(directory: Path, namespace: Namespace | None, files: dict[str, Path]) -> str:
    """A Python that finds these files in the place of the system's, in that network."""
    mounts = " && ".join(f"mount --bind {ours} {theirs}" for theirs, ours in files.items())
    there = f"nsenter --net=/run/netns/{namespace.name} " if namespace else ""
    script = directory / "python"
    inner = f'{mounts} && exec {sys.executable} "$@"'
    script.write_text(f"#!/bin/sh\nexec {there}unshare --mount sh -c '{inner}' sh \"$@\"\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)


@needs_a_namespace
async def test_a_name_is_found_as_soon_as_somebody_has_it(
    relay: Relay,
    simulator: Simulator,
    certificates: Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificates.be_of(NAME)
    hosts, resolv = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost\n")
    resolv.write_text("nameserver 127.0.0.1\n")  # nobody listens
    files = {"/etc/hosts": hosts, "/etc/resolv.conf": resolv}
    monkeypatch.setattr(sys, "executable", python_with(tmp_path, None, files))
    base_url = f"https://{NAME}:{relay.port}"
    with DaemonProcess(tmp_path, BARE | {"GOOGLE_GEMINI_BASE_URL": base_url}) as process:

        async def status_says(words: str) -> None:
            while words not in str(client.request(process.socket, {"command": "status"})):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

        async with asyncio.timeout(20):
            await status_says("the server's name cannot be resolved: ")
            client.request(process.socket, {"command": "say", "text": "Are you there?"})
            with hosts.open("a") as file:
                file.write(f"127.0.0.1 {NAME}\n")
            await simulator.wait_for(lambda: simulator.turns, 20)
    assert simulator.turns[0].text == "Are you there?"
    assert process.exit_code == 0


@needs_a_namespace
def test_a_resolver_in_a_black_hole_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Namespace
) -> None:
    resolv = tmp_path / "resolv.conf"
    resolv.write_text(f"nameserver {elsewhere.nowhere}\noptions timeout:30\n")
    executable = python_with(tmp_path, elsewhere, {"/etc/resolv.conf": resolv})
    monkeypatch.setattr(sys, "executable", executable)
    environment = BARE | {
        "GEMINI_API_KEY": "any",
        "GOOGLE_GEMINI_BASE_URL": f"https://{NAME}",
        "SPEAKERD_LOG_LEVEL": "debug",
    }
    with DaemonProcess(tmp_path, environment) as process:
        deadline = time.monotonic() + 20
        while client.request(process.socket, {"command": "status"})["link"] != "connecting":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        while ":0035 " not in udp_peers(elsewhere):  # it has asked
            assert time.monotonic() < deadline
            time.sleep(0.05)
        began = time.monotonic()
        process.stop()
        assert time.monotonic() - began < 2.0
    assert process.exit_code == 0


def udp_peers(elsewhere: Namespace) -> str:
    """The kernel's table of UDP sockets there."""
    table = ["ip", "netns", "exec", elsewhere.name, "cat", "/proc/net/udp"]
    return subprocess.run(table, check=True, capture_output=True, text=True).stdout
