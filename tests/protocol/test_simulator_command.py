from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import signal
import socket
import ssl
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from speakerd.errors import ConfigError, UnavailableError
from speakerd.simulator import command
from tests.protocol.simulator_driver import ACTIVITY_END, ACTIVITY_START, audio, setup

if TYPE_CHECKING:
    from pathlib import Path

# What the door does with the room.
PROGRAM = """
import argparse, sys
from speakerd.simulator import command
parser = argparse.ArgumentParser()
command.add_arguments(parser)
sys.exit(command.run(parser.parse_args()))
"""
PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_says_how_to_get_there_and_what_happens(
    tmp_path: Path, number: signal.Signals
) -> None:
    utterances = tmp_path / "heard"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-c", PROGRAM, "--speed", "0", "--key", "k"),
        *("--save-utterances", str(utterances)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        lines = [shlex.split((await process.stdout.readline()).decode()) for _ in range(5)]
        assert {line[0] for line in lines} == {"export"}
        environment = dict(line[1].split("=", 1) for line in lines)
        assert environment["GEMINI_API_KEY"] == "k"
        context = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
        url = environment["GOOGLE_GEMINI_BASE_URL"].replace("https", "wss") + PATH + "?key=k"
        async with connect(url, ssl=context) as client:
            for message in (setup(), ACTIVITY_START, audio(), ACTIVITY_END):
                await client.send(json.dumps(message))
            while b"turnComplete" not in await client.recv(decode=False):
                pass
            process.send_signal(number)
            rest = (await process.stdout.read()).decode()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert "turn 1: activityEnd after 0.10 s of speech in 1 chunks" in rest
    assert "turn 1: complete, 0.10 s of answer" in rest
    assert (utterances / "utterance-0001.wav").exists()


async def test_it_ends_when_nobody_reads_any_longer() -> None:
    read_end, write_end = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "speakerd", "simulator"),
        stdout=write_end,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        os.close(write_end)
        with os.fdopen(read_end, encoding="utf-8") as printed:
            lines = [shlex.split(await asyncio.to_thread(printed.readline)) for _ in range(5)]
        environment = dict(line[1].split("=", 1) for line in lines)
        address = urlsplit(environment["GOOGLE_GEMINI_BASE_URL"])
        context = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
        url = f"wss://{address.netloc}{PATH}?key={environment['GEMINI_API_KEY']}"
        with contextlib.suppress(ConnectionClosed):  # it prints of the setup, and is gone
            async with connect(url, ssl=context) as client:
                await client.send(json.dumps(setup()))
        _, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, complaints) == (141, b"")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--reply", "/nowhere.wav"], "--reply /nowhere.wav: No such file or directory"),
        (["--save-utterances", "/dev/null/x"], "--save-utterances /dev/null/x: Not a directory"),
        (["--port", "70000"], "port"),
        (["--reply", "/dev/null"], "/dev/null: not a PCM WAV file"),
        (["--speed", "-1"], "--speed -1: a number from 0"),
        (["--speed", "nan"], "--speed nan: a number from 0"),
        (["--idle-timeout", "-5"], "--idle-timeout -5: a number from 0"),
        (["--go-away-after", "-5"], "--go-away-after -5: a number from 0"),
        (["--key", ""], "--key must not be empty"),
        (["--key", "k", "--model", ""], "--model must not be empty"),
    ],
)
def test_options_that_cannot_be_used(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        command.run(parsed(*words))


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"cannot listen on 127.0.0.1:{port}"):
            command.run(parsed("--port", str(port)))
