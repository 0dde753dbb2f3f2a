"""What the Live API offers beside a voice, where it is a matter of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.virtual_pi.sound import words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi

#: The first connection waits until the SDK is loaded, which takes a busy machine its time.
PATIENT = {"SPEAKERD_PATIENCE_S": "300", "SPEAKERD_MAX_UTTERANCE_S": "300"}
#: As docs/camera.md has it; the kernel's own camera, vivid, shows bars.
TAKE = "fswebcam --quiet --no-banner --resolution 768x576 --jpeg 85 -"
#: As docs/configuration.md has it.
ASK = "ssh -o BatchMode=yes -o ConnectTimeout=5 member@localhost speakerd token --json"
HOME = "/var/lib/speakerd/.ssh"


@pytest.fixture
async def camera(pi: Pi) -> AsyncIterator[None]:
    """One that is plugged in."""
    await pi.root.run("modprobe vivid")
    yield
    await pi.root.run("systemctl stop speakerd && modprobe -r vivid")
    await pi.configure()
    await pi.me.run("sudo speakerd-camera --apply", timeout_s=120.0)
    await pi.restart()


@pytest.mark.usefixtures("camera")
async def test_what_the_camera_sees_goes_along_with_the_sentence(
    pi: Pi, simulator: Simulator
) -> None:
    await pi.configure(SPEAKERD_CAMERA_COMMAND=TAKE, SPEAKERD_CAMERA_INTERVAL_S="1", **PATIENT)
    told = await pi.me.run("sudo speakerd-camera picture.jpg", timeout_s=120.0)
    assert "A picture of" in told
    await pi.restart()

    mark, before = await pi.journal.mark(), len(simulator.turns)
    async with pi.noise():
        await pi.press()
        await pi.journal.wait("device", since=mark, device="camera", state="missing")
        await pi.arriving(since=before)
        await pi.release()
        turn = await pi.journal.wait("turn", since=mark)
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    assert not simulator.turns[-1].pictures, "there is no camera in the sandbox"

    await pi.me.run("sudo speakerd-camera --apply", timeout_s=120.0)
    await pi.restart()
    mark, before = await pi.journal.mark(), len(simulator.turns)
    async with pi.noise():
        await pi.press()
        await pi.arriving(since=before)
        asked = simulator.turns[-1]
        await simulator.wait_for(lambda: bool(asked.pictures), 120.0)
        await pi.release()
        turn = await pi.journal.wait("turn", since=mark)
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    picture = asked.pictures[0]
    assert picture.data.startswith(b"\xff\xd8\xff")
    assert len(picture.data) > 5_000
    assert (await pi.status())["parts"]["camera"] == "ready"


async def test_a_conversation_hands_free(pi: Pi, simulator: Simulator) -> None:
    await pi.reload(
        SPEAKERD_TURN_TAKING="conversation",
        SPEAKERD_CONVERSATION_SILENCE_S="120",
        **PATIENT,
    )
    mark, before = await pi.journal.mark(), len(simulator.turns)

    await pi.root.run("button press; button release")
    for seed in (31, 32):
        await pi.reach("listening")
        since = await pi.journal.mark()
        said = words(2.0, seed=seed)
        await pi.speak(said, press="true", release="true")
        await pi.journal.wait("turn", since=since, outcome="answered", timeout_s=300.0)
        assert said in bytes(simulator.turns[-1].utterance), "the words are not all there"
    await pi.reach("listening")
    await pi.root.run("button press; button release")
    await pi.idle()

    assert len(simulator.turns) == before + 2
    outcomes = [turn["SPEAKERD_OUTCOME"] for turn in pi.journal.since(mark, "turn")]
    assert outcomes == ["answered", "answered"], "who says nothing and hangs up begins no turn"


@pytest.fixture
async def holder(pi: Pi, simulator: Simulator) -> AsyncIterator[None]:
    """Another user, who has the key, and an ssh key of the speaker's to ask for tokens with."""
    (key,) = simulator.options.keys
    await pi.root.run(
        "cat >/home/member/holder.env && chown member: /home/member/holder.env",
        given=f"GEMINI_API_KEY={key}\n{pi.gemini}".encode(),
    )
    # Here, beside a daemon that starts, it may take longer than the daemon waits.
    await pi.root.run(
        "cd /home/member && sudo -u member SPEAKERD_ENV_FILE=/home/member/holder.env "
        "speakerd token --json --uses 0 >token.json",
        timeout_s=300.0,
    )
    await pi.root.run(
        f"""
        sudo -u speakerd mkdir -m 700 {HOME}
        sudo -u speakerd ssh-keygen -q -t ed25519 -N "" -f {HOME}/id_ed25519
        install -d -m 700 -o member /home/member/.ssh
        echo 'restrict,command="cat token.json"' "$(cat {HOME}/id_ed25519.pub)" \
            >/home/member/.ssh/authorized_keys
        sudo -u speakerd ssh -o StrictHostKeyChecking=accept-new member@localhost
        mv /etc/credstore/gemini-api-key /root/
        """,
        timeout_s=120.0,
    )
    yield
    await pi.root.run(f"mv /root/gemini-api-key /etc/credstore/; rm -r {HOME} /home/member/.ssh")


@pytest.mark.usefixtures("holder")
async def test_a_speaker_without_a_key(pi: Pi, simulator: Simulator) -> None:
    await pi.configure(SPEAKERD_TOKEN_COMMAND=ASK, **PATIENT)
    await pi.restart()

    turn = await pi.say(words(1.0, seed=33))

    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    (connection,) = (c for c in simulator.connections if c.number == simulator.turns[-1].connection)
    assert connection.key.startswith("auth_tokens/")
