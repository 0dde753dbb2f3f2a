"""The story of a day: what the journal, systemd and the subscribers are told."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import speakerd
from speakerd import __version__
from speakerd.config import load
from speakerd.conversation import events as ev
from speakerd.conversation.core import Core
from speakerd.conversation.effects import Notice, TimerNews
from speakerd.conversation.events import Device, Usage
from speakerd.conversation.ledger import Context, Outcome, TurnRecord
from speakerd.conversation.timer import Pending, Timer
from speakerd.errors import Failure, FailureKind
from speakerd.service import chronicle, journal
from speakerd.service.chronicle import Chronicle
from speakerd.service.notify import Notifier
from speakerd.service.transcripts import MOST_LETTERS
from speakerd.service.usage import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speakerd.conversation.status import Status
    from tests.edges.conftest import Configure

KEY = "AIzaSyTest-key_0123456789"
ALL_READY = tuple((device.value, "ready") for device in Device)
STATUS = replace(Core().status, model="gemini-3.8-live", context="resumed", devices=ALL_READY)
REFUSED = Failure(FailureKind.NETWORK, "Connection refused")


def turn(number: int = 1, **more: Any) -> TurnRecord:  # noqa: ANN401 - any field of the record
    usage = Usage(10_000, 1000, 11_000)
    return TurnRecord(
        number, "gemini-3.8-live", 10.0, outcome=Outcome.ANSWERED, usage=usage, **more
    )


class SystemD(Notifier):
    """Notes what systemd is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def ready(self) -> None:
        self.told.append("READY")

    def status(self, text: str) -> None:
        self.told.append(text)

    def stopping(self) -> None:
        self.told.append("STOPPING")


class World:
    """A chronicle and everybody who listens to it; ``now`` is its clock."""

    def __init__(self, entries: list[dict[str, str]], **options: Any) -> None:  # noqa: ANN401 - the chronicle's
        self.entries = entries
        self.systemd = SystemD()
        self.published: list[Mapping[str, object]] = []
        self.now = 1000.0
        self.chronicle = Chronicle(
            self.published.append, self.systemd, clock=lambda: self.now, **options
        )

    def lines(self) -> list[str]:
        return [entry["MESSAGE"] for entry in self.entries]

    def last(self) -> dict[str, str]:
        """The newest entry: its message, and the fields of ours."""
        entry = self.entries[-1]
        return {
            name.removeprefix("SPEAKERD_"): text
            for name, text in entry.items()
            if name.startswith("SPEAKERD_") or name in {"MESSAGE", "PRIORITY"}
        }


@pytest.fixture
def world(under_systemd: Configure) -> World:
    return World(under_systemd("info"))


@pytest.fixture
def listening(under_systemd: Configure) -> World:
    return World(under_systemd("debug"), log_transcripts=True)


# --- the start and the end


def test_the_first_line_says_what_starts_and_by_what(world: World, tmp_path: Path) -> None:
    env_file = tmp_path / "speakerd.env"
    env_file.write_text(f"GEMINI_API_KEY={KEY}\nSPEAKERD_MODLE=x\n")
    chronicle.starting(load({"SPEAKERD_ENV_FILE": str(env_file)}))
    first, second = world.lines()
    assert first == (
        f"speakerd {__version__}: gemini-3.8-live, microphone default, speaker default, "
        f"button GPIO17; options from {env_file}, the key from the file"
    )
    assert second.startswith(f"SPEAKERD_MODLE in {env_file} is not an option; did you mean ")
    assert world.entries[0]["SPEAKERD_KEY_SOURCE"] == "file"
    assert world.last()["PRIORITY"] == "4"
    assert KEY not in str(world.entries)


def test_the_first_line_says_where_there_is_no_env_file(world: World) -> None:
    chronicle.starting(load({"GEMINI_API_KEY": KEY}))
    assert "speakerd.env (which is not there), the key from the environment" in world.lines()[0]


@pytest.mark.parametrize("option", ["SPEAKERD_TOKEN_COMMAND", "SPEAKERD_TOKEN_URL"])
def test_the_first_line_says_where_tokens_come_from(world: World, option: str) -> None:
    chronicle.starting(load({option: "https://me:pass-word@tokens.example/"}))
    assert world.lines()[0].endswith(f", tokens from {option}")
    assert world.entries[0]["SPEAKERD_KEY_SOURCE"] == option
    assert "pass-word" not in str(world.entries)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (STATUS, "ready: hold the button and speak"),
        (
            replace(STATUS, devices=(("microphone", "gone"), *ALL_READY[1:])),
            "ready, but: No microphone: gone (SPEAKERD_CAPTURE_DEVICE)",
        ),
    ],
)
def test_ready_is_told_with_what_is_missing(world: World, status: Status, line: str) -> None:
    world.chronicle.status(status)
    world.now += 0.4
    world.chronicle.ready()
    assert "READY" in world.systemd.told
    assert world.last() == {
        "MESSAGE": line,
        "PRIORITY": "6",
        "EVENT": "ready",
        "UPTIME_S": "0.4",
    }


def test_the_last_line_says_how_long_it_was(world: World) -> None:
    world.chronicle.status(replace(STATUS, turns=14))
    world.now += 3 * 3600 + 12 * 60
    world.chronicle.stopping()
    assert world.systemd.told[-1] == "STOPPING"
    assert world.lines() == ["stopping after 3 h 12 min and 14 turns"]


# --- what happens


def test_devices_come_and_go(world: World) -> None:
    world.chronicle.happened(ev.DeviceReady(Device.SPEAKER), STATUS)
    assert world.last() == {
        "MESSAGE": "speaker ready",
        "PRIORITY": "6",
        "EVENT": "device",
        "DEVICE": "speaker",
        "STATE": "ready",
    }
    world.chronicle.happened(ev.DeviceLost(Device.SPEAKER, "dac: busy"), STATUS)
    assert world.last() == {
        "MESSAGE": "speaker missing: dac: busy; see SPEAKERD_PLAYBACK_DEVICE",
        "PRIORITY": "4",
        "EVENT": "device",
        "DEVICE": "speaker",
        "STATE": "missing",
        "REASON": "dac: busy",
    }


def test_a_device_that_flaps_all_night_is_a_few_lines(world: World) -> None:
    for _ in range(500):
        world.chronicle.happened(ev.DeviceReady(Device.SPEAKER), STATUS)
        world.chronicle.happened(ev.DeviceLost(Device.SPEAKER, "xruns"), STATUS)
    assert len(world.entries) == 18
    assert world.lines()[-1] == ("speaker missing: xruns; see SPEAKERD_PLAYBACK_DEVICE (256 times)")


def test_a_night_without_a_network_is_a_few_lines(world: World) -> None:
    for generation in range(1, 501):
        world.chronicle.happened(ev.ConnectionClosed(generation, REFUSED), STATUS)
    assert len(world.entries) == 9
    world.chronicle.happened(ev.ConnectionOpened(501), STATUS)
    assert world.lines()[-1] == "connected to gemini-3.8-live, context=resumed, after 501 tries"


def test_a_fresh_session_that_knows_how_it_went_says_so(world: World) -> None:
    world.chronicle.happened(ev.ConnectionOpened(1, told=3), replace(STATUS, context="fresh"))
    line = "connected to gemini-3.8-live, context=fresh, with the last 3 turns"
    assert world.lines()[-1] == line


def test_a_night_of_connections_that_do_not_last_is_a_few_lines_as_well(world: World) -> None:
    for generation in range(1, 501):
        world.chronicle.happened(ev.ConnectionOpened(generation), STATUS)
        world.chronicle.happened(ev.GoAwayReceived(generation, 50.0), STATUS)
        world.chronicle.given_up(generation, Failure(FailureKind.TIMEOUT, "no answer in 10 s"))
        world.chronicle.happened(ev.ConnectionClosed(generation, None), STATUS)
    assert len(world.entries) == 27


def test_after_a_turn_everything_is_news_again(world: World) -> None:
    for _ in range(3):
        world.chronicle.happened(ev.ConnectionClosed(1, REFUSED), STATUS)
    world.chronicle.turn_ended(turn())
    world.chronicle.happened(ev.ConnectionClosed(2, REFUSED), STATUS)
    assert world.lines()[-1].startswith("no connection: Connection refused (speakerd doctor")
    assert world.lines()[-1].endswith("why)")


def test_a_button_that_is_stuck_from_the_start_is_told(world: World) -> None:
    world.chronicle.happened(ev.ButtonHeldAtStart(), STATUS)
    assert "SPEAKERD_BUTTON_PIN" in world.lines()[0]
    assert world.last()["PRIORITY"] == "4"


@pytest.mark.parametrize("notice", Notice)
def test_what_the_person_hears_is_told(world: World, notice: Notice) -> None:
    world.chronicle.told(notice)
    entry = world.last()
    assert (entry["EVENT"], entry["NOTICE"]) == ("notice", notice.value)
    assert entry["PRIORITY"] == ("6" if notice is Notice.NO_REPLY else "4")


def test_a_turn_is_a_line_with_its_tokens_and_its_cost(world: World) -> None:
    world.chronicle.turn_ended(turn(12, context=Context.RESUMED, first_sample_at=12.0))
    entry = world.last()
    assert entry["MESSAGE"].startswith("turn 12: ")
    assert ", 11000 tokens, 0.0420 USD, " in entry["MESSAGE"]
    names = ("EVENT", "TURN", "TOTAL_TOKENS", "AUDIO_IN_TOKENS", "COST_USD")
    assert {name: entry[name] for name in names} == {
        "AUDIO_IN_TOKENS": "10000",
        "EVENT": "turn",
        "TURN": "12",
        "TOTAL_TOKENS": "11000",
        "COST_USD": "0.042",
    }
    (published,) = world.published
    assert published == {
        "event": "turn",
        **journal.ledger(turn(12, context=Context.RESUMED, first_sample_at=12.0), 0.042),
    }


def test_a_reload_is_told_with_what_it_changes_and_what_it_cannot(world: World) -> None:
    world.chronicle.reloaded(["SPEAKERD_TAIL_MS: 300 -> 400"], ["SSL_CERT_FILE: - -> /x"])
    world.chronicle.reloaded([], [])
    world.chronicle.reload_refused(["SPEAKERD_TAIL_MS is 'x', not a number"])
    assert world.lines() == [
        "reloaded: SPEAKERD_TAIL_MS: 300 -> 400",
        "needs a restart: SSL_CERT_FILE: - -> /x (sudo systemctl restart speakerd)",
        "reloaded: nothing has changed",
        "not reloaded: SPEAKERD_TAIL_MS is 'x', not a number",
    ]
    assert [entry["PRIORITY"] for entry in world.entries] == ["6", "4", "6", "4"]


# --- transcripts


def speak(chronicle: Chronicle, number: int) -> None:
    chronicle.transcript("spoken", number, "It is ")  # the order of the two sides is not sure
    chronicle.transcript("heard", number, "What time ")
    chronicle.transcript("heard", number, "is\nit?")
    chronicle.transcript("spoken", number, "noon.")
    chronicle.happened(ev.TranscriptReceived(1, number), STATUS)
    chronicle.happened(ev.SayRequested("What time is it?"), STATUS)


@pytest.mark.parametrize("level", ["debug", "info"])
def test_nothing_of_what_was_said_reaches_the_journal(under_systemd: Configure, level: str) -> None:
    world = World(under_systemd(level))
    speak(world.chronicle, 1)
    world.chronicle.turn_ended(turn(1))
    world.chronicle.stopping()
    assert [entry["SPEAKERD_EVENT"] for entry in world.entries] == ["turn", "stop"]
    assert not re.search("time|is|it|noon", "".join(world.lines()).replace("times", ""), re.I)


def test_subscribers_get_the_pieces_all_the_same(world: World) -> None:
    speak(world.chronicle, 1)
    assert [piece["text"] for piece in world.published] == [
        "It is ",
        "What time ",
        "is\nit?",
        "noon.",
    ]


def test_on_request_each_side_is_one_line_before_the_turns_own(listening: World) -> None:
    speak(listening.chronicle, 7)
    assert listening.entries == []
    listening.chronicle.turn_ended(turn(7))
    assert listening.lines()[:2] == ['heard: "What time is it?"', 'said: "It is noon."']
    events = [entry["SPEAKERD_EVENT"] for entry in listening.entries]
    assert events == ["transcript", "transcript", "turn"]
    assert {entry["SPEAKERD_TURN"] for entry in listening.entries} == {"7"}
    assert [entry.get("SPEAKERD_SIDE") for entry in listening.entries] == ["heard", "spoken", None]


def test_the_same_words_in_the_next_turn_are_told_again(listening: World) -> None:
    for number in (1, 2, 3):
        speak(listening.chronicle, number)
        listening.chronicle.turn_ended(turn(number))
    assert listening.lines().count('heard: "What time is it?"') == 3


def test_what_comes_late_is_told_with_the_next_turn(listening: World) -> None:
    listening.chronicle.turn_ended(turn(1))
    speak(listening.chronicle, 1)
    speak(listening.chronicle, 2)
    speak(listening.chronicle, 3)
    listening.chronicle.turn_ended(turn(2))
    told = [entry["SPEAKERD_TURN"] for entry in listening.entries]
    assert told == ["1", "1", "1", "2", "2", "2"]


def test_what_is_kept_of_a_flood_is_bounded(listening: World) -> None:
    for number in range(1000):
        listening.chronicle.transcript("heard", number, "a" * 10_000)
    for _ in range(1000):
        listening.chronicle.transcript("heard", 999, "a" * 10_000)
    listening.chronicle.turn_ended(turn(999))
    heard = [line for line in listening.lines() if line.startswith("heard")]
    assert len(heard) == 16
    assert {len(line) for line in heard} == {len('heard: ""') + MOST_LETTERS + len("...")}


def test_transcripts_can_be_switched_on_and_off(listening: World) -> None:
    listening.chronicle.log_transcripts = False
    speak(listening.chronicle, 1)
    listening.chronicle.turn_ended(turn(1))
    listening.chronicle.log_transcripts = True
    speak(listening.chronicle, 2)
    listening.chronicle.turn_ended(turn(2))
    told = [entry["SPEAKERD_TURN"] for entry in listening.entries if "SPEAKERD_SIDE" in entry]
    assert told == ["2", "2"]


# --- the status


def test_a_change_is_told_to_systemd_and_to_subscribers_once(world: World) -> None:
    for status in (STATUS, STATUS, replace(STATUS, state="thinking")):
        world.chronicle.status(status)
    assert world.systemd.told == ["Ready: hold the button and speak", "Thinking"]
    assert [event["state"] for event in world.published] == ["idle", "thinking"]


def test_the_status_for_programs_has_all_its_keys(under_systemd: Configure) -> None:
    world = World(under_systemd("info"), tally=Tally(None, lambda: date(2026, 11, 23)))
    last = turn(12)
    world.chronicle.turn_ended(last)
    failure = Failure(FailureKind.KEY, "API key not valid.", 1007)
    status = replace(
        STATUS,
        timers=(Pending(Timer(2, "eggs"), 1.5, rings=True),),
        turns=12,
        last_turn=last,
        last_error=str(failure),
        last_failure=failure,
        trouble=failure,
    )
    world.now += 100.0
    world.chronicle.happened(ev.ConnectionClosed(1, failure), status)
    world.now += 23.4
    sums = {
        "turns": 1,
        "prompt_tokens": 10_000,
        "response_tokens": 1000,
        "cost_usd": 0.042,
        "audio_in_tokens": 10_000,
        "text_in_tokens": 0,
        "image_in_tokens": 0,
        "audio_out_tokens": 1000,
        "text_out_tokens": 0,
        "thought_tokens": 0,
        "tool_tokens": 0,
        "unpriced_tokens": 0,
    }
    assert world.chronicle.as_dict(status) == {
        "state": "idle",
        "summary": "The API key is refused: sudo speakerd key",
        "link": "down",
        "context": "resumed",
        "model": "gemini-3.8-live",
        "turns": 12,
        "reconnects": 0,
        "without": [],
        "last_error": "1007 API key not valid.",
        "last_error_remedy": "store a valid key: sudo speakerd key",
        "last_error_ago_s": 23.4,
        "microphone": "ready",
        "speaker": "ready",
        "button": "ready",
        "parts": {},
        "muted": False,
        "volume": None,
        "timers": [
            {"number": 2, "kind": "timer", "name": "eggs", "due_unix_s": 1.5, "rings": True}
        ],
        "last_turn": journal.ledger(last, 0.042),
        "today": sums,
        "in_all": {"since": "2026-11-23", **sums},
        "version": __version__,
        "uptime_s": 123.4,
    }


def test_without_an_error_there_is_no_remedy_and_no_time_of_it(world: World) -> None:
    status = world.chronicle.as_dict(STATUS)
    assert {status[name] for name in status if name.startswith("last_error")} == {None}


@pytest.mark.parametrize("lost", ["device", "given up"])
def test_the_time_of_the_last_error_is_that_of_whatever_it_was(world: World, lost: str) -> None:
    world.now += 60.0
    if lost == "device":
        world.chronicle.happened(ev.DeviceLost(Device.SPEAKER, "busy"), STATUS)
    else:
        world.chronicle.given_up(1, REFUSED)
    world.now += 5.0
    assert world.chronicle.as_dict(replace(STATUS, last_error="x"))["last_error_ago_s"] == 5.0


# --- docs/journal.md


def documented() -> dict[str, tuple[str, set[str]]]:
    """By event: the MESSAGE_ID and the fields that the page has."""
    page = Path(speakerd.__file__).parents[1] / "docs" / "journal.md"
    row = re.compile(r"^\| `([a-z]+)` \| `([0-9a-f]+)` \|([^|]*)\|", re.MULTILINE)
    return {
        event: (message_id, set(re.findall(r"`([A-Z_]+)`", fields)))
        for event, message_id, fields in row.findall(page.read_text(encoding="utf-8"))
    }


def test_the_page_has_every_event_with_its_id() -> None:
    assert {event: each for event, (each, _) in documented().items()} == journal.MESSAGE_IDS


@pytest.mark.parametrize("kind", [*FailureKind, *Outcome])
def test_the_page_has_each_word_of_a_field(kind: FailureKind | Outcome) -> None:
    page = Path(speakerd.__file__).parents[1] / "docs" / "journal.md"
    assert f"`{kind.value}`" in page.read_text(encoding="utf-8")


def test_the_page_has_the_fields_that_are_in_the_journal(listening: World) -> None:
    told = listening.chronicle
    chronicle.starting(load({"GEMINI_API_KEY": KEY}))
    told.ready()
    told.happened(ev.DeviceReady(Device.SPEAKER), STATUS)
    told.happened(ev.DeviceLost(Device.SPEAKER, "busy"), STATUS)
    told.happened(ev.PartLost("light", "busy"), STATUS)
    told.mute(on=True)
    told.timer(Timer(1, "eggs"), TimerNews.MISSED)
    told.happened(ev.ConnectionClosed(1, Failure(FailureKind.SERVER, "x", 1011)), STATUS)
    told.happened(ev.ConnectionOpened(2, told=3), replace(STATUS, without=("search",)))
    told.happened(ev.GoAwayReceived(2, 50.0), STATUS)
    told.given_up(2, REFUSED)
    told.forgotten()
    speak(told, 1)
    times = {name: 11.0 for name in TurnRecord.__slots__ if name.endswith("_at")}
    record = turn()
    for name, at in times.items():
        setattr(record, name, at)
    told.turn_ended(record)
    told.told(Notice.ANSWER_CUT)
    told.reloaded(["x"], ["y"])
    told.stopping()
    found: dict[str, set[str]] = {}
    for entry in listening.entries:
        fields = {name.removeprefix("SPEAKERD_") for name in entry if name.startswith("SPEAKERD_")}
        found.setdefault(entry["SPEAKERD_EVENT"], set()).update(fields - {"EVENT"})
    assert found == {event: documented()[event][1] for event in found}
    assert set(journal.MESSAGE_IDS) - set(found) == {
        "config",
        "watchdog",
        "bug",
        "log",
        "library",
    }
