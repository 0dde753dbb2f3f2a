"""The server's name: it cannot be resolved, or nobody who could resolve it answers."""

from __future__ import annotations

import asyncio
import stat
import sys
import time
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.effects import Notice
from speakerd.demo.process import DaemonProcess
from tests.network.process import BARE, ask, status_says
from tests.network.rig import Person

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.simulator.server import Simulator
    from tests.network.certificates import Certificates
    from tests.network.namespace import Namespace
    from tests.network.relay import Relay

NAME = "speakerd.invalid"  # nobody has it (RFC 2606)


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


def python_with(directory: Path, files: dict[str, Path], network: Namespace | None = None) -> str:
    """A Python that finds these files in the place of the system's, and that network."""
    there = f"nsenter --net=/run/netns/{network.name} " if network is not None else ""
    mounts = "".join(f"mount --bind {ours} {theirs} && " for theirs, ours in files.items())
    inner = f'{mounts}exec {sys.executable} "$@"'
    script = directory / "python"
    script.write_text(f"#!/bin/sh\nexec {there}unshare --mount sh -c '{inner}' sh \"$@\"\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)


@pytest.mark.usefixtures("elsewhere")  # where that can be made, another /etc/hosts can be too
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
    python = python_with(tmp_path, {"/etc/hosts": hosts, "/etc/resolv.conf": resolv})
    monkeypatch.setattr(sys, "executable", python)
    base_url = f"https://{NAME}:{relay.port}"
    with DaemonProcess(tmp_path, BARE | {"GOOGLE_GEMINI_BASE_URL": base_url}) as process:
        await status_says(process, "last_error", "the server's name cannot be resolved: ")
        await ask(process, "Are you there?")
        with hosts.open("a") as file:
            file.write(f"127.0.0.1 {NAME}\n")
        await simulator.wait_for(lambda: simulator.turns, 30)
    assert simulator.turns[0].text == "Are you there?"
    assert process.exit_code == 0


async def test_a_resolver_in_a_black_hole_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Namespace
) -> None:
    resolv = tmp_path / "resolv.conf"
    resolv.write_text(f"nameserver {elsewhere.nowhere}\noptions timeout:30\n")
    python = python_with(tmp_path, {"/etc/resolv.conf": resolv}, elsewhere)
    monkeypatch.setattr(sys, "executable", python)
    environment = BARE | {"GEMINI_API_KEY": "any", "GOOGLE_GEMINI_BASE_URL": f"https://{NAME}"}
    with DaemonProcess(tmp_path, environment) as process:
        await status_says(process, "link", "connecting")
        async with asyncio.timeout(20):
            while ":0035 " not in elsewhere.udp_sockets():  # noqa: ASYNC110 - port 53 is asked, by another process
                await asyncio.sleep(0.05)
        began = time.monotonic()
        process.stop()
        assert time.monotonic() - began < 2.0
    assert process.exit_code == 0
