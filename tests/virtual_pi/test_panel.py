"""The light, the buttons and the mute switch, on the kernel's own lines."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

import pytest

from speakerd.audio import earcons
from speakerd.conversation.effects import Cue, Notice
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.virtual_pi.pi import MOUTH
from tests.virtual_pi.shell import LOOK_S
from tests.virtual_pi.sound import as_wav, sounding, words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from speakerd.simulator.faults import Plan
    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi

LED, SECOND, LOUDER, SOFTER, SWITCH = 22, 23, 24, 25, 27


def opening(pin: int) -> str:
    """The command that lets a button go, or opens a switch, whose contact bounces."""
    return (
        f"(cd /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio{pin} &&"
        " for pull in up down up down up down up; do echo pull-$pull >pull; done)"
    )


#: The button by a finger, on contacts that bounce within microseconds
DOWN, UP = "button bounce 16", opening(17)
TAP = f"{DOWN} && {UP}"
#: An emulator may pause between two edges of a bounce, and take its time for a first connection
SLOW = {"SPEAKERD_DEBOUNCE_MS": "200", "SPEAKERD_PATIENCE_S": "120"}
MICROPHONE_STATUS = "/proc/asound/Mic/pcm1c/sub0/status"
CONTROLS = "/var/lib/speakerd/controls.json"
#: Writes down each level that a line has, as often as it is another one
WATCH = """
cd /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio{pin}
while read -r now <value; do
    [ "$now" = "$last" ] || echo "$now"
    last=$now
done
"""


#: A foot switch as the kernel has it, with two keys; pressed and let go of by what its pipe is told
FOOT_SWITCH = """
import os
from evdev import UInput, ecodes

keys = {ecodes.EV_KEY: [ecodes.KEY_B, ecodes.KEY_F14]}
with UInput(keys, name="PCsensor FootSwitch") as plugged, open("/run/pedal", "r+b", 0) as pipe:
    while line := pipe.readline():
        key, value = line.split()
        plugged.write(ecodes.EV_KEY, ecodes.ecodes[key.decode()], int(value))
        plugged.syn()
"""
PLUG_IN = "systemd-run -q --collect --unit=pedal /opt/speakerd/bin/python -I /run/pedal.py"
FOOT_DOWN, FOOT_UP = (f"echo KEY_B {value} >/run/pedal" for value in (1, 0))
DROPIN = "/etc/systemd/system/speakerd.service.d/keypad.conf"


@pytest.fixture(autouse=True)
async def untouched(pi: Pi) -> AsyncIterator[None]:
    """Nobody has pressed, closed or muted anything, before and after."""
    yield
    await pi.root.run(
        "".join(f"button release {pin};" for pin in (SECOND, LOUDER, SOFTER, SWITCH))
        + f"systemctl stop speakerd echo 2>&1; rm -f {CONTROLS}; systemctl reset-failed"
    )


# --- the light


@contextlib.asynccontextmanager
async def watching(pi: Pi, pin: int) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Look at a line; what is given tells its levels so far, such as "010"."""

    async def seen() -> str:
        return (await pi.root.run("cat /run/seen")).replace("\n", "")

    await pi.root.put(WATCH.format(pin=pin).encode(), "/run/watch")
    await pi.root.run(
        "systemd-run -q --collect --unit=eye --nice=19 sh -c 'exec sh /run/watch >/run/seen'"
    )
    try:
        await pi.root.until("grep -q . /run/seen")
        yield seen
    finally:
        await pi.root.run("systemctl stop eye")


async def level(pi: Pi, wanted: int) -> None:
    """Wait until the LED's line has it."""
    await pi.root.until(
        f"grep -qx {wanted} /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio{LED}/value"
    )


async def changes(seen: Callable[[], Awaitable[str]], count: int) -> None:
    """Wait until the line has changed so many times more."""
    before = len(await seen())
    async with asyncio.timeout(120.0):
        while len(await seen()) < before + count:
            await asyncio.sleep(LOOK_S)


async def runs(pi: Pi) -> dict[int, int]:
    """How often each thread of the daemon has gone to sleep by itself, by its number."""
    told = await pi.root.run(f"grep -H ^voluntary /proc/{await pi.pid()}/task/*/status")
    found = re.findall(r"task/(\d+)/status:\S+\s+(\d+)", told)
    return {int(thread): int(count) for thread, count in found}


async def a_while(pi: Pi) -> dict[int, int]:
    """Wait until some thread, the microphone's, has run fifty times; how often each has."""
    before = await runs(pi)
    async with asyncio.timeout(120.0):
        while True:
            since = {thread: n - before.get(thread, 0) for thread, n in (await runs(pi)).items()}
            if max(since.values()) >= 50:
                return since
            await asyncio.sleep(LOOK_S)


async def test_a_plain_led(pi: Pi, plan: Plan) -> None:
    """Dark, lit while it listens, blinking while it thinks and speaks, and dark again."""
    await pi.reload(SPEAKERD_LED_PINS=str(LED), SPEAKERD_LED_SMOOTH="false")
    await pi.parts("light")
    plan.add(Phase.THINKING, faults.Pause(10.0))
    said = as_wav(words(5.0, seed=60))

    async with watching(pi, LED) as seen:
        await pi.press()
        await pi.reach("listening")
        await level(pi, 1)
        await pi.root.run(f"aplay -q -D {MOUTH} -", given=said)
        assert await seen() == "01", "it is not lit all the time"

        await pi.release()
        await pi.reach("thinking")
        await changes(seen, 4)
        assert (await pi.status())["state"] == "thinking"

        await pi.reach("speaking")
        await changes(seen, 3)
        await pi.idle()
        await level(pi, 0)
        after = await seen()
        await a_while(pi)
        assert await seen() == after, "it is not dark"


async def test_a_light_that_stands_still_wakes_nobody(pi: Pi) -> None:
    before = set(await runs(pi))
    await pi.reload(SPEAKERD_LED_PINS=str(LED), SPEAKERD_LED_SMOOTH="false")
    await pi.parts("light")
    dark = await runs(pi)

    mark = await pi.journal.mark()
    await pi.press()
    await pi.reach("listening")
    await level(pi, 1)
    lit = await runs(pi)
    lamp = {thread for thread in set(lit) - before if lit[thread] > dark.get(thread, 0)}
    assert lamp, "nobody has switched it on"
    listening = await a_while(pi)
    assert not any(listening[thread] for thread in lamp)

    await pi.release()
    await pi.journal.wait("turn", since=mark)
    await pi.idle()
    await level(pi, 0)
    idle = await a_while(pi)
    assert not any(idle[thread] for thread in lamp)


async def test_a_dimmed_led(pi: Pi) -> None:
    """PWM by lgpio, on a kernel's line; none where nothing is lit."""
    await pi.reload(SPEAKERD_LED_PINS=str(LED), SPEAKERD_LED_BRIGHTNESS="50")
    await pi.parts("light")
    mark = await pi.journal.mark()

    async with watching(pi, LED) as seen:
        await pi.press()
        await pi.reach("listening")
        await changes(seen, 100)
        await pi.release()
        await pi.journal.wait("turn", since=mark)
        await pi.idle()
        await level(pi, 0)
        await a_while(pi)  # its pattern may have been in the middle of a pulse
        after = await seen()
        await a_while(pi)
        assert await seen() == after, "it is not dark"


# --- the buttons


async def answered(pi: Pi, simulator: Simulator, said: bytes, press: str, release: str) -> None:
    """What is said between those two commands is one turn, whole, and is answered."""
    mark, before = await pi.journal.mark(), len(simulator.turns)
    await pi.speak(said, press=press, release=release)
    turn = await pi.journal.wait("turn", since=mark)
    assert turn["SPEAKERD_OUTCOME"] == "answered", turn
    assert len(simulator.turns) == before + 1
    assert said in bytes(simulator.turns[-1].utterance)
    await pi.idle()


async def stopped_by(
    pi: Pi, simulator: Simulator, tap: str, *, press: str = TAP, release: str = TAP
) -> None:
    """A tap into an answer ends it, and begins nothing."""
    mark, before = await pi.journal.mark(), len(simulator.turns)
    async with pi.listening("stopped") as heard:
        await pi.speak(words(8.0, seed=61), press=press, release=release)
        await pi.answering()
        await pi.root.run(tap)
        turn = await pi.journal.wait("turn", since=mark)
        await pi.idle()
    assert turn["SPEAKERD_OUTCOME"] == "stopped", turn
    assert len(simulator.turns) == before + 1
    assert sounding(bytes(simulator.turns[-1].reply))[-9600:] not in bytes(heard)


async def test_tap_to_begin_and_tap_to_end(pi: Pi, simulator: Simulator) -> None:
    await pi.reload(SPEAKERD_BUTTON_MODE="toggle", **SLOW)

    await answered(pi, simulator, words(1.0, seed=62), TAP, TAP)
    await stopped_by(pi, simulator, TAP)


async def test_tap_or_hold(pi: Pi, simulator: Simulator) -> None:
    # the longest there is: what it takes this machine to start a program is part of each tap
    await pi.reload(SPEAKERD_BUTTON_MODE="auto", SPEAKERD_TAP_MS="2000", **SLOW)

    await answered(pi, simulator, words(1.0, seed=63), TAP, TAP)
    await answered(pi, simulator, words(3.0, seed=64), DOWN, UP)
    await stopped_by(pi, simulator, TAP)


async def test_the_second_button(pi: Pi, simulator: Simulator) -> None:
    tap = f"button bounce 8 {SECOND} && button release {SECOND}"
    await pi.reload(SPEAKERD_SECOND_BUTTON_PIN=str(SECOND), **SLOW)
    await pi.parts("second button")
    await stopped_by(pi, simulator, tap, press="button press", release="button release")

    forgets = {"SPEAKERD_SECOND_BUTTON": "forget"}
    await pi.reload(SPEAKERD_SECOND_BUTTON_PIN=str(SECOND), **forgets, **SLOW)
    await pi.parts("second button")
    remembered = await pi.say_for_good(words(0.6, seed=65))
    async with pi.listening("forgotten"):
        await pi.root.run(tap)
        await pi.hears(earcons.render(Cue.FORGOTTEN))
    turn = await pi.say(words(0.6, seed=66))
    assert turn["SPEAKERD_CONTEXT"] == "fresh", turn
    assert remembered not in simulator.turns[-1].context


async def refused_and_told(pi: Pi, simulator: Simulator) -> None:
    """A press that comes to nothing but a sound, because it is muted."""
    mark, before = await pi.journal.mark(), len(simulator.turns)
    async with pi.listening("muted"):
        await pi.press()
        await pi.journal.wait("notice", since=mark, notice="muted")
        await pi.hears(earcons.render(Notice.MUTED))
        await pi.release()
    assert len(simulator.turns) == before
    await pi.root.run(f"grep -qx closed {MICROPHONE_STATUS}")


async def test_the_mute_switch(pi: Pi, simulator: Simulator) -> None:
    """Closed before the start: it is muted from the start, and only the switch ends that."""
    mark = await pi.journal.mark()
    await pi.root.run(f"button press {SWITCH}")
    await pi.configure(SPEAKERD_MUTE_PIN=str(SWITCH), **SLOW)
    await pi.restart()
    await pi.journal.wait("ready", since=mark, text="Muted")
    assert (await pi.status())["muted"] is True
    await pi.root.until(f"grep -qx closed {MICROPHONE_STATUS}")
    await refused_and_told(pi, simulator)
    with pytest.raises(AssertionError, match="the mute switch is closed"):
        await pi.command("mute", on=False)

    mark = await pi.journal.mark()
    await pi.root.run(opening(SWITCH))
    await pi.journal.wait("mute", since=mark, text="is on")
    await pi.root.until(f"grep -q RUNNING {MICROPHONE_STATUS}")
    await answered(pi, simulator, words(0.6, seed=67), "button press", "button release")


async def test_a_mute_outlasts_a_restart(pi: Pi, simulator: Simulator) -> None:
    await pi.command("mute", on=True)
    await pi.root.until(f"grep -q '\"muted\": true' {CONTROLS}")
    await pi.restart()
    assert (await pi.status())["muted"] is True
    await pi.root.until(f"grep -qx closed {MICROPHONE_STATUS}")
    await refused_and_told(pi, simulator)

    await pi.command("mute", on=False)
    await answered(pi, simulator, words(0.6, seed=68), "button press", "button release")


# --- the foot switch


@pytest.fixture
async def foot_switch(pi: Pi) -> AsyncIterator[None]:
    """It is plugged in; afterwards the service may read input devices no longer."""
    await pi.root.put(FOOT_SWITCH.encode(), "/run/pedal.py")
    await pi.root.run(f"modprobe uinput && mkfifo /run/pedal && {PLUG_IN}")
    await pi.root.until("grep -qs FootSwitch /sys/class/input/event*/device/name")
    yield
    await pi.root.run("systemctl stop pedal; rm /run/pedal")
    await pi.configure()
    await pi.root.run(f"speakerd-keypad --apply && [ ! -e {DROPIN} ]")


async def keypad_is(pi: Pi, word: str) -> None:
    """Wait until the daemon says so of it."""
    async with asyncio.timeout(120.0):
        while word not in (await pi.status())["parts"].get("keypad", ""):
            await asyncio.sleep(LOOK_S)


async def test_a_foot_switch(pi: Pi, simulator: Simulator, foot_switch: None) -> None:
    """Not allowed at first, as the daemon and the doctor say; then a button like any other."""
    del foot_switch  # it has to be there
    assert "PCsensor FootSwitch" in await pi.me.run("speakerd-keypad")
    await pi.configure(SPEAKERD_KEYPAD="footswitch", SPEAKERD_KEYPAD_KEYS="B=talk,F14=stop", **SLOW)
    await pi.restart()
    await keypad_is(pi, "it may not be read; sudo speakerd-keypad --apply")
    doctor = await pi.me.ask("sudo speakerd doctor --no-ask", timeout_s=300.0)
    missing = f"FAIL  keypad        the service may not read input devices: {DROPIN} is missing"
    assert missing in doctor.out, doctor

    told = await pi.me.run("sudo speakerd-keypad --apply")
    assert "To be done: sudo systemctl restart speakerd" in told
    await pi.restart()
    await keypad_is(pi, "ready")
    await answered(pi, simulator, words(1.0, seed=69), FOOT_DOWN, FOOT_UP)
    stop = "echo KEY_F14 1 >/run/pedal && echo KEY_F14 0 >/run/pedal"
    await stopped_by(pi, simulator, stop, press=FOOT_DOWN, release=FOOT_UP)

    # pulled out under the foot, and plugged in again
    await answered(pi, simulator, words(1.0, seed=70), FOOT_DOWN, "systemctl stop pedal")
    await keypad_is(pi, "no input device is called so")
    await pi.root.run(PLUG_IN)
    await keypad_is(pi, "ready")
    await answered(pi, simulator, words(1.0, seed=71), FOOT_DOWN, FOOT_UP)
