"""Where options come from, what wins, and what is said about a wrong one."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from speakerd.config import Loaded, Origin, control_socket, export_library_variables, load
from speakerd.config.changes import compare
from speakerd.config.settings import Settings
from speakerd.config.voices import PUBLISHED
from speakerd.errors import ConfigError

KEY = "AIzaSyTest-key_0123456789"


class Place:
    """An environment with an env file of its own."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "speakerd.env"
        self.credentials = directory / "credentials"
        self.credentials.mkdir()
        self.environ = {"SPEAKERD_ENV_FILE": str(self.file), "GEMINI_API_KEY": KEY}
        self.write("")

    def write(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")

    def credential(self, key: str) -> None:
        (self.credentials / "gemini-api-key").write_text(key, encoding="utf-8")
        self.environ["CREDENTIALS_DIRECTORY"] = str(self.credentials)

    def load(self, **more: str) -> Loaded:
        return load(self.environ | more)

    def problems(self, **more: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load(**more)
        assert caught.value.exit_code == 78
        assert KEY not in "".join(traceback.format_exception(caught.value))
        return str(caught.value).splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_defaults_are_those_of_the_contract(place: Place) -> None:
    loaded = place.load()
    assert loaded.settings.model_dump(exclude={"gemini_api_key"}) == {
        "token_command": "",
        "token_url": None,
        "model": "gemini-3.8-live",
        "fallback_models": (),
        "voice": "",
        "language": (),
        "vocabulary": (),
        "thinking_level": "",
        "thinking_budget": None,
        "affective_dialog": False,
        "proactive_audio": False,
        "temperature": None,
        "media_resolution": "",
        "safety": (),
        "turn_taking": "push-to-talk",
        "conversation_silence_s": 15,
        "conversation_length_s": 300,
        "echo_cancelled": False,
        "vad_start": "",
        "vad_end": "",
        "vad_padding_ms": None,
        "vad_silence_ms": None,
        "system_instruction": "",
        "system_instruction_file": None,
        "place": "",
        "names": (),
        "google_search": False,
        "tools": ("volume", "timers", "clock"),
        "commands_file": None,
        "mcp_servers": None,
        "compression_trigger_tokens": 12000,
        "compression_target_tokens": None,
        "history_turns": 0,
        "capture_device": "default",
        "playback_device": "default",
        "prebuffer_ms": 120,
        "prebuffer_max_ms": 600,
        "wake_ms": 0,
        "keep_awake_s": 0,
        "earcon_volume": 60,
        "thinking_sound": False,
        "prompts": True,
        "mixer": "",
        "mixer_control": "",
        "volume": 40,
        "volume_max": 100,
        "volume_step": 5,
        "button_pin": 17,
        "button_mode": "hold",
        "tap_ms": 400,
        "double_tap_ms": 400,
        "late_tap_ms": 3000,
        "debounce_ms": 30,
        "glitch_ms": 20,
        "min_press_ms": 250,
        "preroll_ms": 300,
        "tail_ms": 300,
        "echo_guard_ms": 100,
        "max_utterance_s": 60,
        "second_button_pin": None,
        "second_button": "stop",
        "volume_up_pin": None,
        "volume_down_pin": None,
        "knob_pins": (),
        "repeat_after_ms": 500,
        "repeat_every_ms": 150,
        "mute_pin": None,
        "keypad": "",
        "keypad_keys": (),
        "led_pins": (),
        "led_smooth": True,
        "led_brightness": 60,
        "led_active_high": True,
        "camera_command": "",
        "camera_interval_s": 0,
        "reply_timeout_s": 15,
        "patience_s": 20,
        "link": "on-demand",
        "linger_s": 60,
        "conversation_timeout_s": 0,
        "daily_budget": 0,
        "prices": (),
        "control_socket": Path("/run/speakerd/control.sock"),
        "state_directory": None,
        "log_level": "info",
        "log_transcripts": False,
    }
    assert set(loaded.provenance.values()) == {Origin.ENVIRONMENT, Origin.DEFAULT}
    assert loaded.warnings == ()


def test_every_default_is_itself_allowed() -> None:
    settings = Settings(gemini_api_key="k")
    assert Settings.model_validate(settings.model_dump()) == settings


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(place: Place) -> None:
    place.write("SPEAKERD_TAIL_MS=400\nSPEAKERD_PREROLL_MS=500\n")
    loaded = place.load(SPEAKERD_TAIL_MS="600")
    assert (loaded.settings.tail_ms, loaded.settings.preroll_ms) == (600, 500)
    assert loaded.provenance["SPEAKERD_TAIL_MS"] is Origin.ENVIRONMENT
    assert loaded.provenance["SPEAKERD_PREROLL_MS"] is Origin.FILE
    assert loaded.provenance["SPEAKERD_DEBOUNCE_MS"] is Origin.DEFAULT


def test_an_empty_value_is_no_value_and_blanks_do_not_count(place: Place) -> None:
    place.write("SPEAKERD_VOICE='  Kore '\nSPEAKERD_LANGUAGE=\n")
    loaded = place.load(SPEAKERD_VOICE="  ", SPEAKERD_TAIL_MS=" 400 ")
    assert (loaded.settings.voice, loaded.settings.language) == ("Kore", ())
    assert loaded.settings.tail_ms == 400
    assert loaded.provenance["SPEAKERD_LANGUAGE"] is Origin.DEFAULT


@pytest.mark.parametrize("environment", ["", "from-the-environment"])
@pytest.mark.parametrize("file", ["", "from-the-file"])
@pytest.mark.parametrize("credential", ["", "from-the-credential\n"])
def test_the_key_comes_from_the_first_place_that_has_one(
    place: Place, environment: str, file: str, credential: str
) -> None:
    place.write(f"GEMINI_API_KEY={file}")
    place.credential(credential)
    expected = next((key.strip() for key in (environment, file, credential) if key), None)
    if expected is None:
        (line,) = place.problems(GEMINI_API_KEY=environment)
        for word in ("GEMINI_API_KEY", str(place.file), "sudo speakerd key"):
            assert word in line
        return
    loaded = place.load(GEMINI_API_KEY=environment)
    assert loaded.settings.gemini_api_key == SecretStr(expected)
    assert expected.endswith(loaded.provenance["GEMINI_API_KEY"])


def test_the_key_is_in_no_repr(place: Place) -> None:
    loaded = place.load()
    assert KEY not in repr(loaded) + str(loaded.settings) + repr(loaded.settings.model_dump())


@pytest.mark.parametrize("key", ["two words", '"quoted"', "schlüssel", "line\nbreak"])
def test_what_is_no_key_is_refused_without_being_shown(place: Place, key: str) -> None:
    (line,) = place.problems(GEMINI_API_KEY=key)
    assert line.startswith("GEMINI_API_KEY in the environment holds ")
    assert key not in line


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("MODEL", "no model!", "the name of a Live API model"),
        ("FALLBACK_MODELS", "a,,b", "names of Live API models with commas between them"),
        ("LANGUAGE", "en, german", "BCP-47 codes such as en-US or de, with commas between them"),
        ("THINKING_BUDGET", "-2", "a whole number from -1 to 32768"),
        ("TEMPERATURE", "warm", "a number from 0 to 2"),
        ("MEDIA_RESOLUTION", "huge", "low, medium or high"),
        ("TURN_TAKING", "shouting", "push-to-talk or conversation"),
        ("VAD_START", "middling", "high or low"),
        ("VAD_SILENCE_MS", "99", "a whole number of milliseconds from 100 to 10000"),
        ("COMPRESSION_TRIGGER_TOKENS", "4999", "a whole number from 5000 to 128000"),
        ("BUTTON_PIN", "54", "a whole number from 0 to 53"),
        ("BUTTON_MODE", "push", "hold or toggle or auto"),
        ("DEBOUNCE_MS", "30ms", "a whole number of milliseconds from 0 to 500"),
        ("TAIL_MS", "-1", "a whole number of milliseconds from 0 to 3000"),
        ("PREROLL_MS", "1.5", "a whole number of milliseconds from 0 to 5000"),
        ("REPLY_TIMEOUT_S", "nan", "a number of seconds from 1 to 120"),
        ("LINGER_S", "inf", "a number of seconds from 0 to 3600"),
        ("LINK", "sometimes", "on-demand or always"),
        ("LOG_LEVEL", "loud", "debug or info or warning or error"),
    ],
)
def test_a_wrong_value_is_one_line_with_what_is_allowed(
    place: Place, name: str, value: str, allowed: str
) -> None:
    place.write(f"SPEAKERD_{name}={value}")
    assert place.problems() == [f"SPEAKERD_{name} in {place.file} is {value!r}; allowed: {allowed}"]


def test_an_option_that_does_nothing_is_told(place: Place) -> None:
    place.write("SPEAKERD_SECOND_BUTTON=forget\nSPEAKERD_LED_BRIGHTNESS=10\nSPEAKERD_TAIL_MS=200")
    assert place.load().warnings == (
        "SPEAKERD_SECOND_BUTTON does nothing without SPEAKERD_SECOND_BUTTON_PIN",
        "SPEAKERD_LED_BRIGHTNESS does nothing without SPEAKERD_LED_PINS",
    )
    place.write("SPEAKERD_SECOND_BUTTON=forget\nSPEAKERD_SECOND_BUTTON_PIN=5")
    assert place.load().warnings == ()
    place.write("SPEAKERD_EARCON_VOLUME=0\nSPEAKERD_THINKING_SOUND=true")
    assert len(place.load().warnings) == 1
    place.write("SPEAKERD_CAMERA_INTERVAL_S=1\nSPEAKERD_MEDIA_RESOLUTION=low")
    for line in place.load().warnings:
        assert line.endswith("does nothing without SPEAKERD_CAMERA_COMMAND")
    assert len(place.load().warnings) == 2


def test_prices_are_read_however_they_are_written(place: Place) -> None:
    place.write("SPEAKERD_PRICES=Audio_In = 2.50 ,text-out=4")
    assert place.load().settings.prices == ("audio-in=2.50", "text-out=4")


def test_a_budget_that_cannot_be_counted_is_told(place: Place) -> None:
    place.write(
        "SPEAKERD_MODEL=gemini-99-live\nSPEAKERD_FALLBACK_MODELS=gemini-3.8-live\n"
        "SPEAKERD_DAILY_BUDGET=2\nSPEAKERD_PRICES=audio-in=3"
    )
    (warning,) = place.load().warnings
    assert warning == (
        "SPEAKERD_DAILY_BUDGET does not count gemini-99-live, whose price is not known: "
        "name all of it in SPEAKERD_PRICES"
    )
    place.write("SPEAKERD_MODEL=gemini-99-live")
    assert place.load().warnings == ()
    prices = "audio-in=1,text-in=1,image-in=1,audio-out=1,text-out=1"
    place.write(f"SPEAKERD_MODEL=gemini-99-live\nSPEAKERD_DAILY_BUDGET=2\nSPEAKERD_PRICES={prices}")
    assert place.load().warnings == ()


@pytest.mark.parametrize(
    ("options", "variable", "owner"),
    [
        ({"MUTE_PIN": "17"}, "MUTE_PIN", "BUTTON_PIN"),
        ({"LED_PINS": "5,6,26", "KNOB_PINS": "26,27"}, "LED_PINS", "KNOB_PINS"),
        ({"VOLUME_UP_PIN": "5", "VOLUME_DOWN_PIN": "5"}, "VOLUME_DOWN_PIN", "VOLUME_UP_PIN"),
    ],
)
def test_a_pin_has_one_purpose(
    place: Place, options: dict[str, str], variable: str, owner: str
) -> None:
    place.write("\n".join(f"SPEAKERD_{name}={value}" for name, value in options.items()))
    (line,) = place.problems()
    assert line.startswith(
        f"SPEAKERD_{variable} in {place.file} is {options[variable]!r}, but GPIO"
    )
    assert line.endswith(f"is SPEAKERD_{owner}'s: choose another")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("LED_PINS", "5,6", "which is 2 pins"),
        ("LED_PINS", "5,5,6", "which names a pin twice"),
        ("KNOB_PINS", "5", "which is not two pins"),
        ("MUTE_PIN", "99", "a BCM number from 0 to 53"),
        ("SECOND_BUTTON", "dance", "stop or forget or mute or volume"),
        ("KEYPAD_KEYS", "F13", "USE is talk, stop, forget, mute, louder or softer"),
        ("KEYPAD_KEYS", "F13=sing", "USE is talk, stop, forget, mute, louder or softer"),
        ("KEYPAD_KEYS", "F13=talk,KEY_F13=stop", "which names a key twice"),
        ("VOLUME", "110", "a whole number of percent from 0 to 100"),
        ("CAMERA_COMMAND", "cam 'a", "in which there is: No closing quotation; allowed: a program"),
        ("CAMERA_COMMAND", r"cam a\\\\\\", "in which there is: No escaped character"),
        ("CAMERA_COMMAND", "\"'' -o -\"", "which names no program; allowed: a program"),
        ("CAMERA_INTERVAL_S", "0.5", "which is more often than the model looks: once a second"),
        ("CAMERA_INTERVAL_S", "-1", "0, or a number of seconds from 1 to 60"),
        ("CAMERA_INTERVAL_S", "61", "0, or a number of seconds from 1 to 60"),
        ("CAMERA_INTERVAL_S", "nan", "0, or a number of seconds from 1 to 60"),
        ("DAILY_BUDGET", "-1", "a number of US dollars from 0 to 10000"),
        ("DAILY_BUDGET", "nan", "a number of US dollars from 0 to 10000"),
        ("DAILY_BUDGET", "2 USD", "a number of US dollars from 0 to 10000"),
        ("PRICES", "3.00", "audio-in=3.00 and the like, in US dollars"),
        ("PRICES", "sound=3", "there are audio-in, text-in, image-in, audio-out, text-out"),
        ("PRICES", "audio-in=-3", "audio-in=3.00 and the like, in US dollars"),
        ("PRICES", "audio-in=1e9", "audio-in=3.00 and the like, in US dollars"),
        ("PRICES", "audio-in=3,Audio_In = 4", "which has two prices for one thing"),
    ],
)
def test_what_the_panel_cannot_be_is_one_line(
    place: Place, name: str, value: str, reason: str
) -> None:
    place.write(f"SPEAKERD_{name}={value}")
    (line,) = place.problems()
    assert reason in line


def test_paths_are_absolute_and_a_socket_path_is_short(place: Place) -> None:
    lines = place.problems(SPEAKERD_CONTROL_SOCKET="/" + 107 * "x", SPEAKERD_STATE_DIRECTORY="here")
    assert "longer than 107 bytes" in lines[0]
    assert "'here', which does not begin with /" in lines[1]


def test_every_problem_has_its_line_and_none_spans_two(place: Place) -> None:
    lines = place.problems(GEMINI_API_KEY="", SPEAKERD_TAIL_MS="x\ny", SPEAKERD_LINK=1000 * "long")
    assert [line.split()[0] for line in lines] == [
        "GEMINI_API_KEY",
        "SPEAKERD_TAIL_MS",
        "SPEAKERD_LINK",
    ]
    assert max(map(len, lines)) < 200


def test_lists_and_words_are_read_as_people_write_them(place: Place) -> None:
    settings = place.load(
        SPEAKERD_FALLBACK_MODELS="one , two",
        SPEAKERD_LINK="Always",
        SPEAKERD_LOG_LEVEL="DEBUG",
        SPEAKERD_KEYPAD_KEYS="key_f13 = Talk, f14=stop",
    ).settings
    assert settings.keypad_keys == ("F13=talk", "F14=stop")
    assert settings.fallback_models == ("one", "two")
    assert (settings.link, settings.log_level) == ("always", "debug")


def test_the_state_directory_is_systemds_unless_another_is_set(place: Place) -> None:
    given = {"STATE_DIRECTORY": "/var/lib/speakerd:/var/lib/other"}
    loaded = place.load(**given)
    assert loaded.settings.state_directory == Path("/var/lib/speakerd")
    assert loaded.provenance["SPEAKERD_STATE_DIRECTORY"] is Origin.DEFAULT
    own = place.load(**given, SPEAKERD_STATE_DIRECTORY="/srv/talk").settings
    assert own.state_directory == Path("/srv/talk")


def test_names_that_nothing_knows_are_warned_of_with_the_nearest(place: Place) -> None:
    place.write("GEMINI_KEY=x\nSPEAKERD_ENV_FILE=/x\nZZZ=1\n")
    assert place.load(SPEAKERD_TAILMS="1", speakerd_model="x", OTHER="y").warnings == (
        "SPEAKERD_TAILMS in the environment is not an option; did you mean SPEAKERD_TAIL_MS?",
        "speakerd_model in the environment is not an option; did you mean SPEAKERD_MODEL?",
        f"GEMINI_KEY in {place.file} is not an option; did you mean GEMINI_API_KEY?",
        f"SPEAKERD_ENV_FILE in {place.file} does nothing: set it in the environment",
        f"ZZZ in {place.file} is not an option",
    )


def test_a_mistyped_name_is_told_beside_what_it_may_have_caused(place: Place) -> None:
    lines = place.problems(
        GEMINI_API_KEY="", GEMINI_API_KY="k", GEMINI_MODEL="other's", SPEAKERD_MODLE="m"
    )
    assert lines[0].startswith("GEMINI_API_KEY is missing")
    hint = "in the environment is not an option; did you mean"
    assert lines[1:] == [
        f"warning: GEMINI_API_KY {hint} GEMINI_API_KEY?",
        f"warning: SPEAKERD_MODLE {hint} SPEAKERD_MODEL?",
    ]


def test_the_prefix_is_no_likeness(place: Place) -> None:
    loaded = place.load(SPEAKERD_FOO="1", SPEAKERD_GEMINI_API_KEY="k")
    assert loaded.warnings == (
        "SPEAKERD_FOO in the environment is not an option",
        "SPEAKERD_GEMINI_API_KEY in the environment is not an option; did you mean GEMINI_API_KEY?",
    )


def test_a_file_may_begin_with_a_byte_order_mark(place: Place) -> None:
    place.write("\ufeffSPEAKERD_TAIL_MS=400\n")
    assert place.load().settings.tail_ms == 400


@pytest.mark.parametrize(
    "url", ["gemini.example", "http://gemini.example", "https://", "https://a:port", "https://[x"]
)
def test_a_base_url_is_https_with_a_host(place: Place, url: str) -> None:
    place.write(f"GOOGLE_GEMINI_BASE_URL={url}")
    (line,) = place.problems()
    assert line.startswith(f"GOOGLE_GEMINI_BASE_URL in {place.file} is {url!r}, ")
    assert line.endswith("allowed: https://host or https://host:port")


def test_the_certificates_are_a_pem_file(place: Place, tmp_path: Path) -> None:
    trusted = tmp_path / "trusted.pem"
    trustme.CA().cert_pem.write_to_path(str(trusted))
    assert place.load(SSL_CERT_FILE=str(trusted)).library == {"SSL_CERT_FILE": str(trusted)}
    for path, reason in (
        (tmp_path / "none.pem", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (place.file, "which holds no certificates"),
    ):
        assert place.problems(SSL_CERT_FILE=str(path)) == [
            (
                f"SSL_CERT_FILE in the environment is '{path}', {reason}; "
                "allowed: a readable PEM file of certificates"
            )
        ]


@pytest.mark.parametrize("below", ["", "/below"])
def test_a_state_directory_that_is_none_is_refused(place: Place, below: str) -> None:
    path = f"{place.file}{below}"
    assert place.problems(SPEAKERD_STATE_DIRECTORY=path) == [
        (
            f"SPEAKERD_STATE_DIRECTORY in the environment is '{path}', which is not a directory; "
            "allowed: the path of a directory"
        )
    ]


def test_a_state_directory_that_cannot_be_used_yet_is_a_warning(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.load(SPEAKERD_STATE_DIRECTORY=str(tmp_path)).warnings == ()
    assert place.load(SPEAKERD_STATE_DIRECTORY=f"{tmp_path}/none").warnings == (
        (
            f"SPEAKERD_STATE_DIRECTORY in the environment is '{tmp_path}/none', "
            "which is not there: nothing new outlasts a restart"
        ),
    )
    monkeypatch.setattr("os.access", lambda *_: False)  # the kernel refuses root nothing
    (warning,) = place.load(SPEAKERD_STATE_DIRECTORY=str(tmp_path)).warnings
    assert "which cannot be written" in warning


def test_library_variables_come_from_the_file_and_the_environment_wins(place: Place) -> None:
    place.write("GOOGLE_GEMINI_BASE_URL=https://file\nGPIOZERO_PIN_FACTORY=mock\n")
    loaded = place.load(GOOGLE_GEMINI_BASE_URL="https://environment:8443")
    assert loaded.warnings == ()
    assert loaded.provenance["GPIOZERO_PIN_FACTORY"] is Origin.FILE
    exported = {"HOME": "/"}
    export_library_variables(loaded, exported)
    assert exported == {
        "HOME": "/",
        "GOOGLE_GEMINI_BASE_URL": "https://environment:8443",
        "GPIOZERO_PIN_FACTORY": "mock",
    }


def test_a_named_file_has_to_be_there(place: Place) -> None:
    place.file.unlink()
    assert place.problems() == [f"SPEAKERD_ENV_FILE: there is no {place.file}"]


def test_the_usual_file_need_not_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("speakerd.config.sources.DEFAULT_ENV_FILE", tmp_path / "none")
    assert load({"GEMINI_API_KEY": KEY}).env_file == tmp_path / "none"


def test_a_file_that_cannot_be_read_is_named(place: Place) -> None:
    place.write("A=1\nno sense")
    assert place.problems() == [f"{place.file}:2: NAME=value expected, but there is no '='"]
    place.file.write_bytes(b"A=\xff")
    assert place.problems() == [f"{place.file}: this is not UTF-8 text"]
    place.file.unlink()
    place.file.mkdir()
    assert place.problems() == [f"{place.file}: Is a directory; see SPEAKERD_ENV_FILE"]


def test_a_comment_behind_a_value_is_told_of_as_part_of_it(place: Place) -> None:
    place.write("SPEAKERD_CAPTURE_DEVICE=plughw:CARD=Mic # mine\nSPEAKERD_VOICE='Puck' # nice\n")
    problem, *warnings = place.problems()
    assert problem.startswith(f"SPEAKERD_VOICE in {place.file} is 'Puck# nice'")
    assert warnings == [
        f"warning: {name} in {place.file} ends with what looks like a comment and is part of the "
        "value: a comment needs a line of its own, a value that is meant so quotes"
        for name in ("SPEAKERD_CAPTURE_DEVICE", "SPEAKERD_VOICE")
    ]


def test_who_may_read_the_file_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:  # the kernel refuses root nothing
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    (line,) = place.problems()
    assert line.startswith(f"{place.file}: permission denied; it is for user {place.file.owner()} ")


def test_a_credential_that_cannot_be_read_is_named(place: Place) -> None:
    place.credential("")
    (place.credentials / "gemini-api-key").write_bytes(b"\xff")
    assert place.problems() == ["credential gemini-api-key: this is not UTF-8 text"]


def test_the_control_socket_is_found_without_a_key_or_a_sound_file(place: Place) -> None:
    del place.environ["GEMINI_API_KEY"]
    place.write("SPEAKERD_CONTROL_SOCKET=/file.sock\nSPEAKERD_TAIL_MS=nonsense")
    assert control_socket(place.environ) == Path("/file.sock")
    own = place.environ | {"SPEAKERD_CONTROL_SOCKET": "/environment.sock"}
    assert control_socket(own) == Path("/environment.sock")
    place.write("nonsense")
    assert control_socket(place.environ) == Path("/run/speakerd/control.sock")


def test_importing_the_package_does_not_import_pydantic() -> None:
    program = "import sys, speakerd.config; sys.exit('pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_state_directory_that_no_disk_can_have_is_a_warning(place: Place) -> None:
    loaded = place.load(SPEAKERD_STATE_DIRECTORY="/" + 300 * "x")
    (warning,) = loaded.warnings
    assert "File name too long" in warning


@pytest.mark.parametrize(
    ("voice", "meant", "warning"),
    [
        ("kore", "Kore", ()),
        (
            "Koree",
            "Koree",
            ("SPEAKERD_VOICE is 'Koree': no voice of that name is published; did you mean Kore?",),
        ),
        (
            "en-us-tavi",
            "en-us-tavi",
            ("SPEAKERD_VOICE is 'en-us-tavi': no voice of that name is published",),
        ),
    ],
)
def test_a_voice_that_nobody_knows_is_only_warned_of(
    place: Place, voice: str, meant: str, warning: tuple[str, ...]
) -> None:
    loaded = place.load(SPEAKERD_VOICE=voice)
    assert loaded.settings.voice == meant
    assert loaded.warnings == warning


def test_all_voices_that_are_published_are_taken(place: Place) -> None:
    for voice in PUBLISHED:
        assert place.load(SPEAKERD_VOICE=voice).warnings == ()
    assert len(set(PUBLISHED)) == 30


def test_what_is_blocked_is_named_by_its_category(place: Place) -> None:
    loaded = place.load(SPEAKERD_SAFETY="Harassment = none, HATE_SPEECH=only_high")
    assert loaded.settings.safety == (("harassment", "none"), ("hate-speech", "only-high"))
    for wrong in ("harassment", "harassment=little", "noise=none", "harassment=none,"):
        (line,) = place.problems(SPEAKERD_SAFETY=wrong)
        assert line.startswith(f"SPEAKERD_SAFETY in the environment is {wrong!r}; allowed: CATE")
    (line,) = place.problems(SPEAKERD_SAFETY="harassment=none,harassment=only-high")
    assert "which names a category twice" in line


def test_what_is_for_a_conversation_does_nothing_without_one(place: Place) -> None:
    of_it = {"SPEAKERD_VAD_START": "low", "SPEAKERD_ECHO_CANCELLED": "true"}
    assert place.load(**of_it).warnings == (
        "SPEAKERD_ECHO_CANCELLED does nothing without SPEAKERD_TURN_TAKING=conversation",
        "SPEAKERD_VAD_START does nothing without SPEAKERD_TURN_TAKING=conversation",
    )
    assert place.load(**of_it, SPEAKERD_TURN_TAKING="conversation").warnings == ()


def test_what_a_conversation_has_no_use_for_is_told(place: Place) -> None:
    assert place.load(SPEAKERD_BUTTON_MODE="toggle").warnings == ()
    assert place.load(
        SPEAKERD_BUTTON_MODE="toggle", SPEAKERD_TURN_TAKING="conversation"
    ).warnings == ("SPEAKERD_BUTTON_MODE does nothing with SPEAKERD_TURN_TAKING=conversation",)


def test_less_is_kept_than_what_is_too_much(place: Place) -> None:
    (line,) = place.problems(SPEAKERD_COMPRESSION_TARGET_TOKENS="12000")
    assert line == (
        "SPEAKERD_COMPRESSION_TARGET_TOKENS in the environment is '12000', "
        "which is not below SPEAKERD_COMPRESSION_TRIGGER_TOKENS, 12000"
    )
    assert place.load(SPEAKERD_COMPRESSION_TRIGGER_TOKENS="5000").warnings == ()


def test_a_file_of_text_is_read_with_the_rest(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "instruction.txt"
    name = "SPEAKERD_SYSTEM_INSTRUCTION_FILE"

    def said() -> str:
        (line,) = place.problems(SPEAKERD_SYSTEM_INSTRUCTION_FILE=str(file))
        return line

    assert f"{name} in the environment is" in said()
    assert "which cannot be read: No such file or directory; allowed: the absolute" in said()
    file.write_bytes(b"\xff")
    assert "which is not UTF-8 text" in said()
    file.write_bytes(b"x" * 65537)
    assert "which has more than 65536 bytes" in said()
    file.unlink()
    os.mkfifo(file)  # nobody writes into it: reading would never end
    assert "which is no file" in said()
    file.unlink()
    (line,) = place.problems(SPEAKERD_SYSTEM_INSTRUCTION_FILE="instruction.txt")
    assert "which does not begin with /" in line

    file.write_text("Be brief.", encoding="utf-8")
    old = place.load(SPEAKERD_SYSTEM_INSTRUCTION_FILE=str(file))
    file.write_text("Be kind.", encoding="utf-8")
    changes = compare(old, place.load(SPEAKERD_SYSTEM_INSTRUCTION_FILE=str(file)))
    assert changes.options == {"system_instruction_file"}
    assert changes.lines == (f"{name}: what is in {file}",)


def test_a_list_of_languages_is_a_list_of_codes(place: Place) -> None:
    assert place.load(SPEAKERD_LANGUAGE="de-DE, en").settings.language == ("de-DE", "en")
    assert place.load(SPEAKERD_LANGUAGE="cmn-Hans-CN").settings.language == ("cmn-Hans-CN",)
    assert place.problems(SPEAKERD_VOCABULARY=",".join(["word"] * 101))


# --- tokens in place of the key

TOKENS = "https://speaker:pass-word@tokens.example:8443/kitchen?secret=1"


def test_no_key_is_needed_where_tokens_come_from_somewhere(place: Place) -> None:
    place.environ["GEMINI_API_KEY"] = ""
    loaded = place.load(SPEAKERD_TOKEN_COMMAND="ssh 'the key' speakerd token")
    assert loaded.settings.gemini_api_key is None
    assert loaded.settings.token_command == "ssh 'the key' speakerd token"
    loaded = place.load(SPEAKERD_TOKEN_URL=TOKENS)
    assert loaded.settings.token_url == SecretStr(TOKENS)
    assert loaded.warnings == ()
    assert "pass-word" not in repr(loaded) + repr(loaded.settings.model_dump())


def test_a_wrong_command_is_the_only_thing_that_is_wrong(place: Place) -> None:
    place.environ["GEMINI_API_KEY"] = ""
    place.write("SPEAKERD_TOKEN_COMMAND=ssh 'key speakerd token")
    (line,) = place.problems()
    assert line == (
        f'SPEAKERD_TOKEN_COMMAND in {place.file} is "ssh \'key speakerd token", '
        "in which there is: No closing quotation; "
        "allowed: a program and its arguments; no shell reads them"
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://tokens.example", "does not begin with https://"),
        ("http://192.168.1.5:8080/", "does not begin with https://"),
        ("ftp://localhost/", "does not begin with https://"),
        ("tokens.example/kitchen", "is no URL"),
        ("https://", "is no URL"),
        ("https://tokens.example:port", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://tokens.example/a b", "is no URL"),
    ],
)
def test_a_wrong_address_is_refused_without_being_shown(
    place: Place, url: str, reason: str
) -> None:
    place.environ["GEMINI_API_KEY"] = ""
    (line,) = place.problems(SPEAKERD_TOKEN_URL=url)
    assert line == (
        f"SPEAKERD_TOKEN_URL in the environment {reason}; "
        "allowed: an https URL, or an http one of this machine itself"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "127.1.2.3", "[::1]:80"])
def test_an_address_of_this_machine_needs_no_tls(place: Place, host: str) -> None:
    url = place.load(SPEAKERD_TOKEN_URL=f"http://{host}/token").settings.token_url
    assert url is not None


def test_two_sources_of_tokens_are_one_too_many(place: Place) -> None:
    place.environ["GEMINI_API_KEY"] = ""
    place.write("SPEAKERD_TOKEN_COMMAND=speakerd token")
    (line,) = place.problems(SPEAKERD_TOKEN_URL=TOKENS)
    assert line == (
        "SPEAKERD_TOKEN_URL in the environment is one too many: "
        "SPEAKERD_TOKEN_COMMAND is set, too; choose one of them"
    )


@pytest.mark.parametrize(
    ("option", "value"), [("TOKEN_COMMAND", "speakerd token"), ("TOKEN_URL", TOKENS)]
)
def test_a_key_beside_tokens_lies_there_for_nothing(place: Place, option: str, value: str) -> None:
    place.environ["GEMINI_API_KEY"] = ""
    place.credential(KEY)
    assert place.load(**{f"SPEAKERD_{option}": value}).warnings == (
        f"GEMINI_API_KEY in the credential gemini-api-key is not used: SPEAKERD_{option} is set",
    )
