"""Wrong papers: a captive portal, somebody else's server, or a clock that is decades off."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.effects import Notice
from tests.network.certificates import Certificates
from tests.network.rig import HASTY, SPEECH, Person

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from speakerd.simulator.server import Simulator
    from tests.network.relay import Relay

#: What is wrong, and what OpenSSL says of it.
WRONG = [
    pytest.param(Certificates.be_of_another_authority, "unable to get local issuer", id="issuer"),
    pytest.param(Certificates.be_of_another_host, "certificate is not valid for", id="host"),
    pytest.param(Certificates.be_expired, "certificate has expired", id="expired"),
    pytest.param(Certificates.be_of_the_future, "certificate is not yet valid", id="future"),
]


@pytest.mark.parametrize(("be_wrong", "reason"), WRONG)
async def test_a_wrong_certificate_is_told_in_the_journal_and_heals(
    person: Person,
    simulator: Simulator,
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    be_wrong: Callable[[Certificates], None],
    reason: str,
) -> None:
    be_wrong(certificates)
    async with person.running():
        turn = await person.says()
        await person.status_says(reason)
        certificates.be_good()
        assert (await person.turn(turn))["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH
    assert person.was_told()
    line = next(message for message in caplog.messages if reason in message)
    assert line.startswith("no connection: the server's certificate is refused: ")
    assert ("clock" in line) == ("expired" in line or "yet valid" in line)


@pytest.mark.parametrize(("be_wrong", "reason"), WRONG)
async def test_a_conversation_outlives_a_wrong_certificate(
    person: Person,
    relay: Relay,
    simulator: Simulator,
    certificates: Certificates,
    be_wrong: Callable[[Certificates], None],
    reason: str,
) -> None:
    async with person.running():
        await person.link("ready")
        assert (await person.has_a_turn())["outcome"] == "answered"
        be_wrong(certificates)
        relay.reset()
        await person.link("down")
        turn = await person.says()
        await person.status_says(reason)
        certificates.be_good()
        ledger = await person.turn(turn)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert simulator.turns[-1].context == (1,)
    assert person.was_told()


async def test_a_certificate_that_stays_wrong_is_told_and_makes_no_storm(
    relay: Relay, certificates: Certificates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "speakerd")
    person = Person(tmp_path, patience_s=0.2, **HASTY)
    certificates.be_of_the_future()
    async with person.running():
        await relay.wait_for(lambda: relay.accepted == 8)  # the rest is for presses
        assert (await person.has_a_turn())["outcome"] == "not-delivered"
    assert person.was_told(Notice.NOT_DELIVERED)
    assert relay.accepted == 9
    assert sum("is the clock right" in message for message in caplog.messages) in range(1, 10)


async def test_a_file_of_certificates_that_is_missing_is_told_and_ends_nothing(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = os.environ["SSL_CERT_FILE"]
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    person = Person(tmp_path)
    async with person.running():
        turn = await person.says()
        await person.status_says("see SSL_CERT_FILE")
        monkeypatch.setenv("SSL_CERT_FILE", good)
        assert (await person.turn(turn))["outcome"] == "answered"
    assert simulator.turns[0].utterance == SPEECH
