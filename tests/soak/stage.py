"""Where the soak is played: the real daemon with devices that can be unplugged, and the weather."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd.audio.pcm import PLAYBACK_RATE_HZ
from speakerd.simulator import faults
from speakerd.simulator.faults import Fault, Moment, Phase, Planned
from tests.fakes.audio import FakeSpeaker
from tests.protocol.rig import CUES, Rig
from tests.soak.clock import SPEED, FastCore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from speakerd.config.settings import Settings
    from speakerd.conversation.core import Core
    from speakerd.conversation.events import Event
    from speakerd.conversation.rules import Rules
    from speakerd.simulator.server import Simulator
    from tests.soak.plan import PlannedAt

_POLL_S = 0.001
#: Of real time, and far beyond the longest time-out (a minute of the core's, for the storm limit).
_STUCK_S = 20.0

#: The socket's own close time-out is not scaled by the clock. A close may take it twice, and a busy
#: machine its time: the core waits for it here as it does in a living room, longer than it takes.
CLOSE_TIMEOUT_S = 0.15
_RULES = {"close_timeout_s": 10 * CLOSE_TIMEOUT_S * SPEED}


class StuckError(Exception):
    """Something that had to happen has not happened."""


async def until(condition: Callable[[], bool], what: str, timeout_s: float = _STUCK_S) -> None:
    """Wait for ``condition``. Raises StuckError, which names ``what`` has not happened."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise StuckError(f"in {timeout_s:g} s: not {what}")
        await asyncio.sleep(_POLL_S)


async def given_time(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait for ``condition``, or so long; whether it came true."""
    try:
        await until(condition, "needed", timeout_s)
    except StuckError:
        return False
    return True


class EagerSpeaker(FakeSpeaker):
    """Plays whatever it has got as soon as it may, and so runs dry in between."""

    def expect(self, turn: int) -> None:
        """What it had played of an answer that was dropped as it began, nobody has heard.

        No other speaker is quicker than the order to be silent.
        """
        if turn != self._expected:
            self.heard.pop(turn, None)
        super().expect(turn)

    def feed(self, turn: int, pcm: bytes, rate_hz: int = PLAYBACK_RATE_HZ) -> float:
        super().feed(turn, pcm, rate_hz)
        if self.playing:
            self.play()
        return 0.0


class SoakRig(Rig):
    """The daemon of the soak, whose clock runs fast. ``seed``: of its jitter."""

    def __init__(self, directory: Path, seed: str, *, eager: bool) -> None:
        self._eager = eager
        self._seed = seed
        # the one time-out of a close that is the socket's, and not the core's
        timeouts = {"close_s": CLOSE_TIMEOUT_S}
        super().__init__(directory, rules=_RULES, timeouts=timeouts, min_press_ms=250)

    def _make_core(self, rules: Rules) -> Core:
        chance = random.Random(self._seed)  # noqa: S311 - repeatable, not secret
        self.core = FastCore(rules, chance.random)
        return self.core

    def _make_speaker(self, _settings: Settings, post: Callable[[Event], None]) -> FakeSpeaker:
        kind = EagerSpeaker if self._eager else FakeSpeaker
        self.speaker = kind(post, instant=True, cues=CUES)
        return self.speaker

    @property
    def calm(self) -> bool:
        """Whether nothing is under way."""
        return self.core.status.state in {"idle", "error"}

    def turn_the_page(self) -> None:
        """Forget what has been heard and told so far: it has been looked at."""
        self.events.clear()
        self.speaker.heard.clear()
        self.speaker.clips.clear()
        self.speaker.sound.clear()


class Weather:
    """The script of the simulator: what is planned for this turn; and who has come to the door."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._waiting: list[tuple[PlannedAt, int]] = []  # and how often it still happens
        self.happened = 0
        self.deaf: set[int] = set()  # connections whose end the server does not see
        self.mute: set[int] = set()  # connections of which the client may not have read all
        self.refused_setups = 0  # by an HTTP status, since they were last looked at
        self.upgrades: list[float] = []  # when somebody asked for a connection
        self.together = 0  # the most sockets that were open to the server at one time

    def forecast(self, waiting: Iterable[PlannedAt]) -> None:
        """From now on this is planned, and nothing else."""
        self._waiting = [(each, each.times) for each in waiting]
        self.happened = 0

    def new_daemon(self) -> None:
        """Another daemon, which cannot know how often its predecessor has connected."""
        self.upgrades.clear()

    def now(self, act: faults.Act) -> bool:
        """Let something happen to the connection that is open; False if there is none."""
        try:
            self._simulator.act(act)
        except LookupError:
            return False
        self._note(act, self._simulator.connections[-1].number)
        return True

    def faults(self, moment: Moment) -> list[Planned]:
        if moment.phase is Phase.UPGRADE:
            self.upgrades.append(time.monotonic())
            self.together = max(self.together, _sockets_to(self._simulator.port))
        due = [each for each, _ in self._waiting if each.phase is moment.phase]
        self._waiting = [
            (each, times - (each in due)) for each, times in self._waiting if times > (each in due)
        ]
        if due and moment.phase is Phase.SETUP:
            self.mute.add(moment.connection)  # given up at a first message that is another
        for each in due:
            self._note(each.planned.fault, moment.connection)
        return [each.planned for each in due]

    def _note(self, fault: Fault, connection: int) -> None:
        self.happened += 1
        match fault:
            case faults.Silence(pongs):
                self.mute.add(connection)
                self.deaf |= set() if pongs else {connection}
            case faults.HttpStatus(400):
                self.refused_setups += 1
            case _:
                pass


#: States of /proc/net/tcp in which our end has not been closed: ESTABLISHED and CLOSE_WAIT.
_OPEN = {"01", "08"}


def _sockets_to(port: int) -> int:
    """How many sockets of this process are open to the server at ``port`` of this machine."""
    wanted, count = f":{port:04X}", 0
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        (
            _,
            _,
            remote,
            state,
            *_,
        ) = line.split()
        count += remote.endswith(wanted) and state in _OPEN
    return count
