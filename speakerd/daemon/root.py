"""The composition root: builds the edges, drives the core, has its orders carried out.

Everything that happens becomes an event, in whatever thread, and is handled in the loop's thread
in the order it became known. One timer of the loop stands for every time-out of the core.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
import time
from typing import TYPE_CHECKING

from speakerd.audio import earcons
from speakerd.audio.answers import Answers
from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.core import Core
from speakerd.conversation.light import Light, light_of
from speakerd.conversation.link import LinkState
from speakerd.daemon.chores import Chores
from speakerd.daemon.clock import LocalClock
from speakerd.daemon.commands import Commands
from speakerd.daemon.devices import Devices, Makers, Part, keys_of
from speakerd.daemon.hands import Hands
from speakerd.daemon.orders import Edges, Orders
from speakerd.daemon.purse import Purse
from speakerd.daemon.reloads import Reloads
from speakerd.daemon.translate import (
    changes_setup,
    devices_of,
    keeps_answers,
    remade_by,
    rules_of,
    secrets_of,
    wishes_of,
)
from speakerd.errors import Feature
from speakerd.live.connection import Outlets
from speakerd.live.edge import LiveEdge
from speakerd.live.fetching import source_of
from speakerd.live.history import History
from speakerd.live.transport import Timeouts
from speakerd.service import journal, notify, watchdog
from speakerd.service.chronicle import Chronicle
from speakerd.service.control import ControlServer
from speakerd.service.state import ControlsStore, HandleStore
from speakerd.service.timers import TimersStore
from speakerd.service.usage import Tally
from speakerd.tools.commands import NamedCommands
from speakerd.tools.configured import toolbox_of
from speakerd.tools.listing import entry
from speakerd.tools.mcp.servers import Servers
from speakerd.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from typing import Any

    from speakerd.config import Loaded
    from speakerd.config.changes import Changes
    from speakerd.config.settings import Settings
    from speakerd.conversation.status import Status
    from speakerd.tools.tool import Scheduling, Tool


log = logging.getLogger(__name__)

#: How long a stop waits for the connection to be closed, and for the handle to be written; with
#: the devices' 1 s it stays below the 2 s in which the daemon has to be gone.
_CLOSING_S = 0.6
_WRITING_S = 0.3


class Daemon:
    """One speaker, of real ``devices`` unless others are given.

    READY does not wait for the network, nor for google-genai to be imported: a press before that
    is captured, and delivered when there is a connection. A device that has not answered after
    ``devices_timeout_s`` is reported missing, and READY waits for it no longer. ``core`` and the
    sockets' ``timeouts`` are the usual ones unless others are given. ``reading`` is the
    configuration that ``settings`` are from, and how to read it anew; without it there is nothing
    to reload. ``tools`` are offered to the model beside those that the settings name.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        devices: Makers = Makers(),  # noqa: B008 - it is frozen
        devices_timeout_s: float = 5.0,
        core: Core | None = None,
        timeouts: Timeouts | None = None,
        reading: tuple[Loaded, Callable[[], Loaded]] | None = None,
        tools: Iterable[Tool] = (),
    ) -> None:
        self._settings = settings
        self._tools = tuple(tools)
        self._devices_timeout_s = devices_timeout_s
        self._clock = LocalClock(self._tell_core)
        self._named_commands = NamedCommands()
        self._servers = Servers(
            settings.mcp_servers,
            ready=lambda part: self.post(ev.PartReady(part)),
            lost=lambda part, reason: self.post(ev.PartLost(part, reason)),
            gone=lambda part: self.post(ev.PartGone(part)),
            changed=self._tools_changed,
        )
        self._hands = Hands(
            settings,
            self._tell_core,
            self._known,
            self._respond,
            toolbox=self._toolbox_of,
            now=self._clock.now,
        )
        functions = self._hands.toolbox.declarations()
        self._core = core or Core(rules_of(settings, functions))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._devices = Devices(devices, settings, self.post)
        self._live = LiveEdge(
            Outlets(self.post, self._feed, self._transcript),
            api_key=settings.gemini_api_key,
            source=source_of(settings),
            wishes=wishes_of(settings, functions),
            timeouts=timeouts or Timeouts(),
        )
        self._history = History(settings.history_turns)
        self._answers = Answers(wanted=keeps_answers(settings))
        self._store = HandleStore(settings.state_directory)
        self._controls = ControlsStore(settings.state_directory)
        self._timers = TimersStore(settings.state_directory)
        self._chores = Chores()
        self._notifier = notify.Notifier()
        self._control = ControlServer(
            settings.control_socket,
            {
                **Commands(self._tell_core, self._known).by_name(),
                "status": self._status,
                "level": self._level,
                "reload": self._reload,
                "tools": self._listed_tools,
            },
        )
        self._tally = Tally(settings.state_directory, prices=settings.prices)
        self._purse = Purse(
            self._tally,
            settings.daily_budget,
            lambda left: self._tell_core(ev.BudgetChanged(left)),
        )
        self._chronicle = Chronicle(
            self._control.publish,
            self._notifier,
            tally=self._tally,
            log_transcripts=settings.log_transcripts,
        )
        self._reloads = Reloads(*reading, self._request_reload) if reading else None
        self._orders = Orders(
            Edges(
                devices=self._devices,
                live=self._live,
                hands=self._hands,
                chronicle=self._chronicle,
                history=self._history,
                answers=self._answers,
                handle=self._store,
                controls=self._controls,
                timers=self._timers,
                clock=self._clock,
                tally=self._tally,
                chores=self._chores,
            ),
            settings,
            self._apply_settings,
            lambda text: self.post(ev.SayRequested(text, read_out=True)),
        )
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None
        self._devices_known = asyncio.Event()
        self._stopping = asyncio.Event()
        self._link_down = asyncio.Event()
        self._bug: BaseException | None = None

    # --- its life

    async def serve(self) -> None:
        """Run until :meth:`stop`. Raises what went wrong inside, if anything did."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        await self._control.start()
        try:
            self._tally.load()
            self._purse.look()
            self._take_up_controls()
            self._take_up_timers()
            self._devices.start()
            await self._unless_stopping(self._know_the_devices())
            if not self._stopping.is_set():
                self._chronicle.ready()
                self._watch()
                await self._unless_stopping(self._prepare())
                self._devices.start_voice()
                self._servers.start()
                self.post(ev.Started(self._store.load()))
            await self._stopping.wait()
        finally:
            await self._end()
        if self._bug is not None:
            raise self._bug

    async def _prepare(self) -> None:
        """What takes its time and must not hold up what happens meanwhile."""
        earcons_made = asyncio.to_thread(earcons.prepare, self._settings.earcon_volume)
        await asyncio.gather(self._live.load(), earcons_made)

    def _take_up_controls(self) -> None:
        """Begin with the mute and the volume as they were left."""
        kept = self._controls.load()
        if kept.muted:
            self._tell_core(ev.MuteRequested(on=True))
        for key in keys_of(self._settings):
            self._tell_core(ev.KeyAwaited(key))
        self._set_kept_volume()

    def _take_up_timers(self) -> None:
        """Let ring what was set before, also where it was due meanwhile."""
        kept = self._timers.load()
        if kept is not None:
            self._clock.look()
            self._tell_core(kept)

    def _set_kept_volume(self) -> None:
        """Let a mixer that was just chosen have the volume that there was, or was off."""
        known, kept = self._core.status.volume, self._controls.kept.volume
        first = self._settings.volume if kept is None else kept
        if self._devices.volume is not None:
            self._devices.volume.set(known or first, muted=known == 0)

    def stop(self) -> None:
        """End :meth:`serve`, in whatever state it is."""
        self._stopping.set()

    def _watch(self) -> None:
        """Let systemd's watchdog know that all is well, as long as it is."""
        every_s = watchdog.interval_s()
        if every_s is not None:
            looking = watchdog.Watchdog(self._notifier, self._devices.stalls_s).run(every_s)
            self._watching = asyncio.create_task(looking, name="watchdog")

    async def _know_the_devices(self) -> None:
        """Wait until every device is open or known to be missing; it is retried meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._devices_known.wait(), self._devices_timeout_s)
        for name, word in self._core.status.devices:
            if word == "starting":
                reason = f"it has not answered for {self._devices_timeout_s:g} s"
                self._dispatch(ev.DeviceLost(ev.Device(name), reason), time.monotonic())

    async def _unless_stopping(self, work: Coroutine[Any, Any, object]) -> None:
        """Wait for ``work``, but give it up when the daemon is to stop. Raises what it raises."""
        working = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if working.done():
            working.result()
        working.cancel()

    async def _end(self) -> None:
        self._chronicle.stopping()
        if self._watching is not None:
            self._watching.cancel()
        self._dispatch(ev.ShutdownRequested(), time.monotonic())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._link_down.wait(), _CLOSING_S)
        self._hands.close()
        await asyncio.gather(self._live.close(), self._servers.close())
        if self._reloads is not None:
            self._reloads.close()
        if self._timer is not None:
            self._timer.cancel()
        self._purse.close()
        self._loop = None  # what the edges still have to say is no news any longer
        await self._devices.stop()
        await self._chores.finish(_WRITING_S)
        await self._control.close()

    # --- events in

    def post(self, event: ev.Event, counts: Callable[[], bool] = lambda: True) -> None:
        """Let the core know of ``event``; from any thread, never blocks.

        It is dropped if it does not count any more when its turn has come.
        """
        loop, at = self._loop, time.monotonic()
        if loop is None:
            return

        def take() -> None:
            if counts():
                self._dispatch(event, at)

        if threading.get_ident() == self._thread:
            loop.call_soon(take)
            return
        with contextlib.suppress(RuntimeError):  # the loop has just been closed
            loop.call_soon_threadsafe(take)

    def _dispatch(self, event: ev.Event, at: float) -> list[fx.Effect]:
        """Handle one event; a bug ends the daemon, and systemd begins again."""
        try:
            self._purse.look()  # first: since the last event it may have been midnight
            effects = self._core.handle(event, at)
            self._chronicle.happened(event, self._core.status)
            self._devices.happened(event)
            self._carry_out(effects)
        except Exception as bug:  # noqa: BLE001 - kept, and raised by serve
            self._bug = self._bug or bug
            self.stop()
            return []
        return effects

    def _tell_core(self, event: ev.Event) -> list[fx.Effect]:
        return self._dispatch(event, time.monotonic())

    def _known(self) -> Status:
        return self._core.status

    def _wake(self) -> None:
        self._clock.look_again()  # first: what is due may go by it
        try:
            self._carry_out(self._core.wake(time.monotonic()))
        except Exception as bug:  # noqa: BLE001 - kept, and raised by serve
            self._bug = self._bug or bug
            self.stop()

    # --- what comes of them

    def _carry_out(self, effects: list[fx.Effect]) -> None:
        self._show(light_of(self._core.status))  # it is to follow at once
        for effect in effects:
            self._orders.carry_out(effect)
        self._arm_timer()
        self._tell_status()
        if self._core.link_state in {LinkState.DOWN, LinkState.REFUSED}:
            self._link_down.set()
        else:
            self._link_down.clear()
        self._purse.look()

    def _arm_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._core.next_deadline()
        if deadline is not None and self._loop is not None:
            self._timer = self._loop.call_at(deadline, self._wake)

    def _apply_settings(self) -> None:
        changes = self._reloads.take() if self._reloads is not None else None
        if changes is None:
            return
        old, self._settings = self._settings, changes.loaded.settings
        new = self._orders.settings = self._settings
        journal.configure(new.log_level, secrets=secrets_of(old, new))
        self._servers.reload(new.mcp_servers)
        self._hands.reload(new)
        wishes = wishes_of(new, self._hands.toolbox.declarations())
        self._live.reload(new.gemini_api_key, wishes, source_of(new))
        self._history.limit(new.history_turns)
        self._answers.want(keeps_answers(new))
        self._tally.prices = new.prices
        self._purse.daily_usd = new.daily_budget
        if remade := remade_by(changes.options):
            self._devices.reopen(remade, new)
        if Part.MICROPHONE in remade:
            self._devices.microphone.mute(on=self._core.status.muted)
        if Part.KEYS in remade:
            for key in keys_of(new):
                self.post(ev.KeyAwaited(key))
        if Part.VOLUME in remade:
            self._set_kept_volume()
        if Part.LIGHT in remade:
            self._show(light_of(self._core.status))
        if old.earcon_volume != new.earcon_volume:
            self._chores.do(functools.partial(earcons.prepare, new.earcon_volume))
        self._chronicle.log_transcripts = new.log_transcripts
        self._chronicle.reloaded(changes.lines, changes.restart)

    def _toolbox_of(self, settings: Settings) -> Toolbox:
        """What the model may do by these settings, as things are."""
        own = toolbox_of(settings, self._named_commands, self._tools)
        return Toolbox((*own, *self._servers.tools({tool.name for tool in own})))

    def _tools_changed(self) -> None:
        """The next connection offers what there is now."""
        self._hands.reload(self._settings)
        functions = self._hands.toolbox.declarations()
        wishes = wishes_of(self._settings, functions)
        self._live.reload(self._settings.gemini_api_key, wishes, source_of(self._settings))
        self._tell_core(ev.ToolsChanged(offered=bool(functions)))

    def _respond(
        self,
        generation: int,
        turn: int,
        call: ev.ToolCall,
        answer: Mapping[str, object],
        scheduling: Scheduling,
    ) -> None:
        self._live.respond(generation, turn, call, answer, scheduling.value)

    def _tell_status(self) -> None:
        status = self._core.status
        self._chronicle.status(status)
        if all(word != "starting" for _, word in status.devices):
            self._devices_known.set()

    def _show(self, light: Light) -> None:
        if self._devices.light is not None:
            self._devices.light.show(light)

    def _feed(self, turn: int, pcm: bytes, rate_hz: int) -> float:
        lasts_s = self._devices.speaker.feed(turn, pcm, rate_hz)
        self._answers.feed(turn, pcm, rate_hz)
        return lasts_s

    def _transcript(self, side: str, turn: int, text: str) -> None:
        self._history.piece(side, turn, text)
        self._chronicle.transcript(side, turn, text)

    # --- commands

    def _level(self, _message: Mapping[str, object]) -> Mapping[str, object]:
        level = self._devices.microphone.level()
        if level is None:
            return {"ok": False, "error": "the microphone has heard nothing yet, or is off"}
        return {"ok": True, **level.as_dict()}

    def _listed_tools(self, _message: Mapping[str, object]) -> Mapping[str, object]:
        offered = Feature.TOOLS.value not in self._core.status.without
        return {"ok": True, "tools": [*map(entry, self._hands.toolbox)], "offered": offered}

    async def _reload(self, message: Mapping[str, object]) -> Mapping[str, object]:
        if self._reloads is None:
            return {"ok": False, "error": "this daemon has nothing to reload"}
        answer = await self._reloads.command(message)
        problems = answer.get("problems")
        if isinstance(problems, list):
            self._chronicle.reload_refused(problems)
        return answer

    def _request_reload(self, changes: Changes) -> None:
        settings = changes.loaded.settings
        rules = rules_of(settings, self._toolbox_of(settings).declarations())
        setup = changes_setup(changes.options)
        reopened = devices_of(remade_by(changes.options))
        self._dispatch(ev.ReloadRequested(rules, setup, reopened), time.monotonic())

    def _status(self, _message: Mapping[str, object]) -> Mapping[str, object]:
        read = self._reloads.file_mtime_ns if self._reloads is not None else None
        self._purse.look()
        self._clock.look_again()
        status = self._chronicle.as_dict(self._core.status)
        budget = self._purse.as_dict()
        return {"ok": True, **status, "budget": budget, "env_file_mtime_ns": read}
