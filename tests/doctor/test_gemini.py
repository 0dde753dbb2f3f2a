"""What Gemini says to the setup: the real SDK, and the simulator in Gemini's place."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from speakerd.config.settings import Settings
from speakerd.doctor import gemini
from speakerd.errors import Failure, FailureKind, Feature
from speakerd.live import probe
from speakerd.live.transport import Timeouts
from speakerd.simulator import catalogue, faults
from speakerd.simulator.catalogue import MODELS, Model
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import DEFAULT_KEY, SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.doctor.made_up import lines
from tests.protocol.shop import CLOSED, Shop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.doctor.healthy import Healthy

MODEL = "gemini-3.8-live"
LATER_MODEL = "gemini-4-live"  # of which nobody knows what it takes
RELOAD = "then: sudo systemctl reload speakerd"
AGAIN = "try again; if it stays so: https://aistudio.google.com/status"


@pytest.fixture
async def simulator(machine: Healthy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    """In Gemini's place for this process, and for the machine; without a quota for search."""
    machine.store_key(DEFAULT_KEY)
    models = MODELS | {LATER_MODEL: Model()}
    async with Simulator(SimulatorOptions(speed=0, search=False, models=models)) as running:
        for name, value in running.environment().items():
            if name != "GEMINI_API_KEY":
                monkeypatch.setenv(name, value)
        yield running


async def found(machine: Healthy) -> list[str]:
    return await asyncio.to_thread(machine.found_by, gemini.check)


@pytest.fixture
def where(machine: Healthy) -> str:
    return f"in {machine.root}/etc/speakerd/speakerd.env, {RELOAD}"


async def test_a_setup_that_is_accepted(machine: Healthy, simulator: Simulator) -> None:
    (line,) = await found(machine)
    assert line.startswith(f"OK gemini: {MODEL} takes the key and the settings, after ")
    assert len(simulator.connections) == 1
    assert simulator.turns == []  # nothing was said, nothing is billed


async def test_the_setup_is_the_daemons(machine: Healthy, simulator: Simulator) -> None:
    machine.env_file("SPEAKERD_LANGUAGE=de\nSPEAKERD_SYSTEM_INSTRUCTION=Be brief.\n")
    await found(machine)
    (setup,) = simulator.setups
    assert "Be brief." in str(setup)
    assert "code de." in str(setup)


async def test_so_are_the_functions_in_it(
    machine: Healthy, simulator: Simulator, tmp_path: Path
) -> None:
    described = {"description": "Open the garage.", "command": ["/bin/true"]}
    commands = tmp_path / "commands.json"
    commands.write_text(json.dumps({"commands": {"open_garage": described}}))
    machine.env_file(f"SPEAKERD_TOOLS=clock\nSPEAKERD_COMMANDS_FILE={commands}\n")
    await found(machine)
    (setup,) = simulator.setups
    (tool,) = setup["tools"]
    names = [each["name"] for each in tool["functionDeclarations"]]
    assert names == ["get_time", "open_garage"]


async def test_what_the_model_does_without(
    machine: Healthy, simulator: Simulator, where: str
) -> None:
    machine.env_file(
        "SPEAKERD_GOOGLE_SEARCH=true\nSPEAKERD_THINKING_LEVEL=low\nSPEAKERD_VOICE=Kore\n"
    )
    accepted, *refused = await found(machine)
    assert accepted.startswith("OK ")
    assert refused == [
        (
            f"WARN gemini: {MODEL} does not take SPEAKERD_THINKING_LEVEL: left out"
            f" -> SPEAKERD_THINKING_LEVEL= (without a value) {where}"
        ),
        (
            f"WARN gemini: {MODEL} refuses search: the speaker goes on without it"
            f" -> SPEAKERD_GOOGLE_SEARCH=false {where}; or use a key whose project may search"
        ),
    ]
    assert len(simulator.connections) == 2


@pytest.mark.usefixtures("simulator")
async def test_what_an_unknown_model_refuses_of_its_options(machine: Healthy, where: str) -> None:
    machine.env_file(f"SPEAKERD_MODEL={LATER_MODEL}\nSPEAKERD_THINKING_LEVEL=low\n")
    _, refused = await found(machine)
    assert refused == (
        f"WARN gemini: {LATER_MODEL} refuses thinking: the speaker goes on without it"
        f" -> SPEAKERD_THINKING_LEVEL= (without a value) {where}"
    )


async def test_a_key_that_is_refused(machine: Healthy, simulator: Simulator) -> None:
    machine.store_key("a-wrong-one")
    machine.env_file("SPEAKERD_FALLBACK_MODELS=gemini-3.1-live\n")
    assert await found(machine) == [
        (
            f"FAIL gemini: {MODEL}: 1007 API key not valid. Please pass a valid API key."
            " -> sudo speakerd key"
        )
    ]
    assert len(simulator.connections) == 1  # another model would not take it either


@pytest.mark.usefixtures("simulator")
async def test_a_model_that_is_unknown(machine: Healthy, where: str) -> None:
    machine.env_file("SPEAKERD_MODEL=gemini-1.0-live\n")
    (line,) = await found(machine)
    assert line.startswith("FAIL gemini: gemini-1.0-live: 1008 models/gemini-1.0-live is not found")
    assert line.endswith(f" -> SPEAKERD_MODEL={MODEL} {where}")


@pytest.mark.usefixtures("simulator")
async def test_a_fallback_for_a_model_that_is_unknown(machine: Healthy) -> None:
    machine.env_file(
        f"SPEAKERD_MODEL=gemini-1.0-live\nSPEAKERD_FALLBACK_MODELS=gemini-1.1-live,{MODEL}\n"
    )
    first, second, third = await found(machine)
    assert first.startswith("WARN gemini: gemini-1.0-live: 1008")
    assert second.startswith("WARN gemini: gemini-1.1-live: 1008")
    assert third.startswith(f"OK gemini: {MODEL} takes")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            faults.HttpStatus(429),
            (
                "the server answered HTTP 429 instead of upgrading"
                " -> wait a minute, or see https://aistudio.google.com/usage"
            ),
        ),
        (
            faults.HttpStatus(503),
            f"the server answered HTTP 503 instead of upgrading -> {AGAIN}",
        ),
        (
            faults.Abort(),
            (
                "the connection was cut off before the server had answered"
                " -> see what was found about the network, above"
            ),
        ),
    ],
)
async def test_a_server_that_refuses(
    machine: Healthy, simulator: Simulator, fault: faults.Fault, expected: str
) -> None:
    simulator.plan.add(Phase.UPGRADE, fault)
    assert await found(machine) == [f"FAIL gemini: {MODEL}: {expected}"]


async def test_a_quota_that_is_used_up(machine: Healthy, simulator: Simulator) -> None:
    simulator.plan.add(Phase.SETUP, faults.Close.of(catalogue.QUOTA))
    (line,) = await found(machine)
    assert line.startswith(f"FAIL gemini: {MODEL}: 1011 You exceeded your current quota")
    assert line.endswith(" -> wait a minute, or see https://aistudio.google.com/usage")


async def test_a_setting_that_is_refused(
    machine: Healthy, simulator: Simulator, where: str
) -> None:
    refusal = faults.Close(1007, "Request contains an invalid argument.")
    simulator.plan.add(Phase.SETUP, refusal, times=3)  # also without all that can be left out
    assert await found(machine) == [
        (
            f"FAIL gemini: {MODEL}: 1007 Request contains an invalid argument."
            f" -> change the setting that it names {where}"
        )
    ]


async def test_a_history_that_is_not_told_yet_is_not_what_is_refused(
    machine: Healthy, simulator: Simulator
) -> None:
    machine.env_file("SPEAKERD_HISTORY_TURNS=5\nSPEAKERD_TOOLS=volume\n")
    refusal = faults.Close(1007, "Request contains an invalid argument.")
    simulator.plan.add(Phase.SETUP, refusal)
    _, refused = await found(machine)
    assert refused.startswith(f"WARN gemini: {MODEL} refuses tools: ")


async def test_a_consent_that_is_taken_back(machine: Healthy, simulator: Simulator) -> None:
    simulator.plan.add(Phase.IDLE, faults.Close.of(catalogue.INTERNAL))
    (line,) = await found(machine)
    assert line == f"FAIL gemini: {MODEL}: 1011 {catalogue.INTERNAL.reason} -> {AGAIN}"


async def test_a_server_that_never_answers(simulator: Simulator) -> None:
    simulator.plan.add(Phase.SETUP, faults.Silence())
    settings = Settings(gemini_api_key=SecretStr(DEFAULT_KEY))
    timeouts = Timeouts(close_s=0.05)
    (answer,) = await asyncio.to_thread(gemini.ask, settings, timeouts=timeouts, limit_s=0.5)
    assert answer.failure == Failure(FailureKind.TIMEOUT, "the server does not answer the setup")


@pytest.mark.usefixtures("simulator")
async def test_a_server_that_cannot_be_trusted(
    machine: Healthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    (line,) = await found(machine)
    assert line.startswith(f"FAIL gemini: {MODEL}: the server's certificate is refused: ")
    assert line.endswith(" -> see what was found about the network, above")


def test_google_genai_that_cannot_be_imported(
    machine: Healthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "google.genai.live", None)
    (line,) = machine.found_by(gemini.check)
    assert line.startswith("FAIL gemini: google-genai cannot be imported: ModuleNotFoundError: ")
    assert " -> install speakerd anew: " in line


# --- without a key


def without_key(machine: Healthy) -> None:
    (machine.root / "etc/credstore/gemini-api-key").unlink()


def test_nobody_has_a_key(machine: Healthy) -> None:
    without_key(machine)
    machine.is_silent("no daemon answers")
    assert machine.found_by(gemini.check) == [
        (
            "WARN gemini: not asked: there is no key that may be used here"
            " -> sudo speakerd doctor, when there is a key"
        )
    ]


def test_the_daemon_has_the_key(machine: Healthy) -> None:
    without_key(machine)
    assert machine.found_by(gemini.check) == [f"OK gemini: the speaker talks with {MODEL}"]
    machine.says({"link": "down", "turns": 0})
    assert machine.found_by(gemini.check) == [
        "WARN gemini: not asked, because only root may read the key -> sudo speakerd doctor"
    ]


def test_the_daemon_has_the_key_and_is_silent(machine: Healthy) -> None:
    without_key(machine)
    assert machine.daemon is not None
    machine.daemon.gone = True
    assert machine.found_by(gemini.check) == []


# --- every answer


@pytest.mark.parametrize("kind", FailureKind)
def test_every_failure_has_a_remedy(machine: Healthy, kind: FailureKind) -> None:
    loaded = machine.system().loaded
    assert loaded is not None
    refused = probe.Answer(MODEL, Failure(kind, "No."), frozenset(), (), 1.0)
    (line,) = lines(gemini.judged(loaded, [refused]))
    assert line.startswith(f"FAIL gemini: {MODEL}: No. -> ")


@pytest.mark.parametrize("feature", Feature)
def test_every_feature_has_a_remedy(machine: Healthy, feature: Feature) -> None:
    loaded = machine.system().loaded
    assert loaded is not None
    without = probe.Answer(MODEL, None, frozenset({feature}), (), 1.0)
    _, line = lines(gemini.judged(loaded, [without]))
    assert line.startswith(f"WARN gemini: {MODEL} refuses {feature.value}: ")
    assert "SPEAKERD_" in line.partition(" -> ")[2]


# --- tokens in place of the key


@pytest.fixture
def shop(machine: Healthy, simulator: Simulator, tmp_path: Path) -> Shop:
    """Sells one token; the machine has no key, and no user of the service's."""
    made = Shop(tmp_path)
    made.stock(simulator.mint())
    (machine.root / "etc/credstore/gemini-api-key").unlink()
    machine.env_file(f"SPEAKERD_TOKEN_COMMAND={made.command}\n")
    machine.unit["LoadState"] = "not-found"
    return made


@pytest.mark.usefixtures("shop")
async def test_a_token_that_is_accepted(machine: Healthy, simulator: Simulator) -> None:
    (line,) = await found(machine)
    assert line.startswith(f"OK gemini: {MODEL} takes the token and the settings, after ")
    assert simulator.connections[0].path.endswith("Constrained")


async def test_a_command_that_gives_no_token(machine: Healthy, shop: Shop) -> None:
    shop.stock()
    (line,) = await found(machine)
    remedy = f"mend what this says: sudo -u speakerd {shop.command}"
    assert line == f"FAIL gemini: {MODEL}: {CLOSED} -> {remedy}"


async def test_tokens_that_the_server_does_not_take(machine: Healthy, shop: Shop) -> None:
    shop.stock("auth_tokens/not-of-here", "auth_tokens/nor-this")
    (line,) = await found(machine)
    assert line.startswith(f"FAIL gemini: {MODEL}: 1007 API key not valid.")
    assert line.endswith(" -> on the machine that has the key: speakerd doctor")


async def test_an_address_that_nobody_is_at(
    machine: Healthy, simulator: Simulator, where: str
) -> None:
    machine.env_file("SPEAKERD_TOKEN_URL=https://127.0.0.1:1/\n")
    (line,) = await found(machine)
    assert line.startswith(f"FAIL gemini: {MODEL}: SPEAKERD_TOKEN_URL cannot be reached: ")
    assert line.endswith(f" -> another SPEAKERD_TOKEN_URL {where}")
    assert simulator.connections == []


async def test_a_command_runs_as_the_services_user(machine: Healthy, shop: Shop) -> None:
    machine.unit |= {"LoadState": "loaded", "User": "no-user-of-this-name"}
    (line,) = await found(machine)
    assert line.startswith(f"FAIL gemini: {MODEL}: SPEAKERD_TOKEN_COMMAND failed (1): runuser: ")
    assert shop.asked == 0


async def test_nothing_is_asked_where_the_source_of_tokens_is_wrong(machine: Healthy) -> None:
    machine.env_file("SPEAKERD_TOKEN_URL=http://tokens.example/\n")
    assert all(line.startswith(("WARN", "OK")) for line in await found(machine))
