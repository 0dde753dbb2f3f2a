"""``speakerd demo --parrot`` without a sound card: what it takes, says and does with Enter."""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from speakerd.config.settings import Settings
from speakerd.conversation.ledger import Outcome, TurnRecord
from speakerd.demo import parrot
from speakerd.errors import ConfigError, UnavailableError
from speakerd.service.control import ControlServer
from speakerd.service.journal import ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

KEY = "AIzaSyMine-and-nobody-elses"
STATUS: dict[str, object] = {
    "microphone": "ready",
    "speaker": "ready",
    "button": "ready",
    "parts": {"light": "ready", "volume": "ready"},
    "muted": False,
    "volume": 40,
}
NO_GPIO = "GPIO17: 'GPIO busy'"
MIXER = "hw:Device"
ADJUST = f"alsamixer -V capture -D {MIXER}, then sudo alsactl store"


def settings_of(**options: object) -> Settings:
    return Settings.model_validate({"gemini_api_key": KEY, **options})


# --- what is taken


class EnvFile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def configured(self, text: str, **environ: str) -> tuple[Settings, dict[str, str], list[str]]:
        self.path.write_text(text, encoding="utf-8")
        place = {"SPEAKERD_ENV_FILE": str(self.path)}
        settings, variables, warnings = parrot.configured(place | environ)
        return settings, variables, list(warnings)


@pytest.fixture
def env_file(tmp_path: Path) -> EnvFile:
    return EnvFile(tmp_path / "speakerd.env")


def test_the_installed_options_are_taken_and_the_environment_wins(env_file: EnvFile) -> None:
    settings, variables, warnings = env_file.configured(
        "SPEAKERD_BUTTON_PIN=27\nSPEAKERD_TAIL_MS=400\nGPIOZERO_PIN_FACTORY=native\n",
        SPEAKERD_TAIL_MS="500",
    )
    assert variables == {
        "SPEAKERD_BUTTON_PIN": "27",
        "SPEAKERD_TAIL_MS": "500",
        "GPIOZERO_PIN_FACTORY": "native",
    }
    assert (settings.button_pin, settings.tail_ms, warnings) == (27, 500, [])


def test_no_key_no_model_and_no_place_is_taken(env_file: EnvFile) -> None:
    _, variables, warnings = env_file.configured(
        f"GEMINI_API_KEY={KEY}\nSPEAKERD_MODEL=mine\nSPEAKERD_LANGUAGE=de\n"
        "SPEAKERD_STATE_DIRECTORY=/nonexistent\nSPEAKERD_CONTROL_SOCKET=/run/speakerd/mine\n"
        "GOOGLE_GEMINI_BASE_URL=https://elsewhere.example\nSSL_CERT_FILE=/nonexistent\n",
        GEMINI_API_KEY=KEY,
        SPEAKERD_VOICE="Kore",
    )
    assert (variables, warnings) == ({}, [])


def test_an_option_that_counts_has_to_be_right(env_file: EnvFile) -> None:
    with pytest.raises(ConfigError) as refused:
        env_file.configured(
            "SPEAKERD_BUTTON_PIN=99\nSPEAKERD_MODEL=?\nSPEAKERD_MUTE_PIN=none\nSPEAKERD_TAIL=1\n"
        )
    pin, mute_pin, mistyped = str(refused.value).splitlines()
    assert pin == (
        f"SPEAKERD_BUTTON_PIN in {env_file.path} is '99'; allowed: a whole number from 0 to 53"
    )
    assert mute_pin.startswith(f"SPEAKERD_MUTE_PIN in {env_file.path} is 'none'; ")
    assert mistyped.startswith(f"warning: SPEAKERD_TAIL in {env_file.path} is not an option")


def test_a_name_that_is_none_is_only_warned_of(env_file: EnvFile) -> None:
    _, variables, (warning,) = env_file.configured("SPEAKERD_BUTON_PIN=5\n")
    assert variables == {}
    assert warning.endswith("is not an option; did you mean SPEAKERD_BUTTON_PIN?")


def test_who_may_not_read_the_env_file_is_sent_to_sudo(
    env_file: EnvFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:  # the kernel refuses root nothing
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ConfigError) as refused:
        env_file.configured("")
    assert str(refused.value).startswith(f"{env_file.path}: permission denied; it is for user ")
    assert str(refused.value).endswith(": sudo speakerd demo --parrot")
    assert refused.value.exit_code == 78


def test_an_env_file_with_a_mistake_needs_no_sudo(env_file: EnvFile) -> None:
    with pytest.raises(ConfigError) as refused:
        env_file.configured("no sign of equality\n")
    assert str(refused.value).startswith(f"{env_file.path}:1: ")
    assert "sudo" not in str(refused.value)


# --- what is said first


def introduced(
    settings: Settings | None = None, *, terminal: bool = True, **changes: object
) -> list[str]:
    status = STATUS | changes
    settings = settings or settings_of()
    return list(parrot.introduction(settings, status, Path(os.devnull), terminal=terminal))


def test_the_parts_are_told_and_what_to_do() -> None:
    assert introduced(settings_of(capture_device="my_card")) == [
        "options:     /dev/null",
        "Live API:    a simulator that repeats what it hears; no key is used",
        "microphone:  my_card",
        "speaker:     default",
        "button:      GPIO17",
        "light:       ready",
        "volume:      40 %",
        "",
        "Hold the button, say something, let go: the speaker repeats it. Ctrl-C ends it.",
        "Enter, before and after, does the same as the button.",
    ]


@pytest.mark.parametrize(
    ("mode", "what_to_do"),
    [
        ("toggle", "Tap the button, say something, tap it again: "),
        ("auto", "Hold or tap the button, say something, let go or tap it again: "),
    ],
)
def test_the_button_is_used_by_its_mode(mode: str, what_to_do: str) -> None:
    assert introduced(settings_of(button_mode=mode), terminal=False)[-1].startswith(what_to_do)


def test_a_button_that_is_missing_is_told_and_enter_does_it() -> None:
    lines = introduced(button=NO_GPIO)
    assert f"button:      {NO_GPIO}" in lines
    assert lines[-1].startswith("Press Enter, say something, press it again: ")


def test_neither_a_button_nor_a_terminal_is_too_little() -> None:
    with pytest.raises(UnavailableError, match=f"^button: {NO_GPIO}; without a terminal "):
        introduced(button=NO_GPIO, terminal=False)


@pytest.mark.parametrize("device", ["microphone", "speaker"])
def test_a_device_that_is_missing_is_named(device: str) -> None:
    status = STATUS | {device: "plughw:CARD=Device: No such device"}
    option = {"microphone": "CAPTURE", "speaker": "PLAYBACK"}[device]
    said = f"^{device}: plughw:CARD=Device: No such device; see SPEAKERD_{option}_DEVICE, or give "
    with pytest.raises(UnavailableError, match=said):
        list(parrot.introduction(settings_of(), status, Path(os.devnull), terminal=True))


def test_a_volume_that_is_not_known_says_why_and_a_mute_switch_is_told() -> None:
    lines = introduced(parts={"volume": "the mixer default: no"}, volume=None, muted=True)
    assert "volume:      the mixer default: no" in lines
    assert any(line.startswith("muted: the microphone is off; ") for line in lines)


# --- what is said of a turn


def turn(outcome: Outcome = Outcome.ANSWERED, **record: Any) -> dict[str, object]:  # noqa: ANN401 - any field
    return ledger(
        TurnRecord(3, "a-model", pressed_at=1.0, utterance_s=2.3, outcome=outcome, **record)
    )


def square(amplitude: int) -> bytes:
    return array.array("h", [amplitude, -amplitude] * 800).tobytes()


SILENT = "nothing was heard: the microphone gives digital silence; look at its mute switch, "


@pytest.mark.parametrize(
    ("amplitude", "said"),
    [
        (4096, "heard 2.3 s (peak -18 dBFS), and repeated them in full"),
        (33, f"it was very quiet (peak -60 dBFS): speak from nearer, or turn it up: {ADJUST}"),
        (32767, f"it was too loud, and cut off (peak 0 dBFS): turn it down: {ADJUST}"),
    ],
)
def test_a_turn_is_one_line_by_how_loud_it_was(amplitude: int, said: str) -> None:
    assert parrot.turn_line(turn(), square(amplitude), MIXER) == f"turn 3: {said}"


@pytest.mark.parametrize("utterance", [b"", bytes(3200)])
def test_digital_silence_is_nothing_heard(utterance: bytes) -> None:
    line = parrot.turn_line(turn(), utterance, MIXER)
    assert line.startswith(f"turn 3: {SILENT}")


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (turn(Outcome.STOPPED), "you stopped it"),
        (turn(Outcome.EMPTY), "nothing was captured: did the microphone come loose?"),
        (turn(Outcome.SILENT), SILENT),
        (turn(Outcome.CUT), "the turn ended as 'cut'; the log tells more"),
        (
            turn(underruns=2),
            "heard 2.3 s (peak -18 dBFS), but the playback ran dry 2 times: the machine is too",
        ),
    ],
)
def test_a_turn_that_ended_otherwise_says_how(ended: Mapping[str, object], said: str) -> None:
    assert parrot.turn_line(ended, square(4096), MIXER).startswith(f"turn 3: {said}")


# --- turn after turn


class Daemon:
    """A control socket, and what it was told."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "control.sock"
        self.told: asyncio.Queue[str] = asyncio.Queue()
        self.refusal: str | None = None
        self.server = ControlServer(self.path, {"press": self._tell, "release": self._tell})

    def _tell(self, message: Mapping[str, object]) -> Mapping[str, object]:
        self.told.put_nowait(cast("str", message["command"]))
        return {"ok": True} if self.refusal is None else {"ok": False, "error": self.refusal}


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    made = Daemon(tmp_path)
    await made.server.start()
    yield made
    await made.server.close()


def running(daemon: Daemon, *keys: int) -> asyncio.Task[None]:
    pet = parrot.Parrot(daemon.path, settings_of(), lambda: square(4096))
    return asyncio.create_task(asyncio.to_thread(pet.run, list(keys), muted=False))


async def test_each_enter_is_a_press_or_a_release_until_ctrl_d(daemon: Daemon) -> None:
    keys, typing = os.pipe()
    with open(keys, "rb"), open(typing, "wb", buffering=0) as person:  # noqa: ASYNC230, PTH123 - a pipe
        parroting = running(daemon, keys)
        for command in ("press", "release", "press"):
            person.write(b"\n")
            assert await daemon.told.get() == command
        person.write(b"\n\n")
        assert [await daemon.told.get(), await daemon.told.get()] == ["release", "press"]
        person.close()
        await parroting


async def test_a_press_that_is_refused_is_no_press(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.refusal = "the microphone is muted: speakerd mute off"
    keys, typing = os.pipe()
    with open(keys, "rb"), open(typing, "wb", buffering=0) as person:  # noqa: ASYNC230, PTH123 - a pipe
        parroting = running(daemon, keys)
        for _ in range(2):
            person.write(b"\n")
            assert await daemon.told.get() == "press"
        person.close()
        await parroting
    assert capsys.readouterr().out.splitlines() == [daemon.refusal] * 2


async def test_turns_and_a_mute_switch_are_told_until_the_daemon_goes_away(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, typing = os.pipe()
    with open(keys, "rb"), open(typing, "wb", buffering=0) as person:  # noqa: ASYNC230, PTH123 - a pipe
        parroting = running(daemon, keys)
        person.write(b"\n")
        await daemon.told.get()  # it has subscribed before
        for muted in (False, True, True, False):
            daemon.server.publish({"event": "state", "state": "idle", "muted": muted})
        daemon.server.publish({"event": "turn", **turn()})
        await daemon.server.close()
        with pytest.raises(UnavailableError, match=r"^the daemon has gone away$"):
            await parroting
    lines = capsys.readouterr().out.splitlines()
    lines.remove("Speak, then press Enter.")  # in the other thread
    muted_line, unmuted_line, turn_line = lines
    assert muted_line.startswith("muted: the microphone is off; ")
    assert unmuted_line == "not muted any more: the microphone is on"
    assert turn_line == "turn 3: heard 2.3 s (peak -18 dBFS), and repeated them in full"


async def test_what_turns_the_microphone_up_is_the_mixer_of_the_boards_card_that_hears(
    daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, text in (
        ("etc/speakerd/board/name", "hifiberry-dac\n"),
        ("proc/asound/card0/id", "sndrpihifiberry\n"),
        ("proc/asound/card1/id", "Device\n"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    pet = parrot.Parrot(daemon.path, settings_of(), lambda: square(33), tmp_path)
    keys, typing = os.pipe()
    with open(keys, "rb"), open(typing, "wb", buffering=0) as person:  # noqa: ASYNC230, PTH123 - a pipe
        parroting = asyncio.create_task(asyncio.to_thread(pet.run, [keys], muted=False))
        person.write(b"\n")
        await daemon.told.get()  # it has subscribed before
        daemon.server.publish({"event": "turn", **turn()})
        await daemon.server.close()
        with pytest.raises(UnavailableError, match=r"^the daemon has gone away$"):
            await parroting
    assert f"turn it up: {ADJUST}\n" in capsys.readouterr().out


async def test_beside_a_running_daemon_it_does_not_begin(
    daemon: Daemon, env_file: EnvFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.path.write_text(f"SPEAKERD_CONTROL_SOCKET={daemon.path}\n")
    monkeypatch.setenv("SPEAKERD_ENV_FILE", str(env_file.path))
    begun: list[str] = []

    def simulating() -> contextlib.AbstractContextManager[Any]:
        begun.append("the simulator")
        return contextlib.nullcontext()

    with pytest.raises(UnavailableError) as refused:
        await asyncio.to_thread(parrot.run, None, simulating)
    assert str(refused.value) == (
        f"speakerd is running ({daemon.path}) and has the sound card and the pins:"
        " sudo systemctl stop speakerd"
    )
    assert (refused.value.exit_code, begun) == (69, [])
