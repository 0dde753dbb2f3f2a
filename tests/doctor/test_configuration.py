"""The env file and the key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.doctor import configuration
from tests.doctor.healthy import KEY
from tests.doctor.made_up import SERVICE_UID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.doctor.healthy import Healthy

RELOAD = "then: sudo systemctl reload speakerd"


@pytest.fixture
def env_file(machine: Healthy) -> Path:
    return machine.root / "etc/speakerd/speakerd.env"


@pytest.fixture
def stored(machine: Healthy) -> Path:
    return machine.root / "etc/credstore/gemini-api-key"


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is put into it may not be looked at, not even by root, who may run these tests."""
    paths: list[Path] = []
    really: dict[str, Callable[..., object]] = {"stat": Path.stat, "read_text": Path.read_text}

    def instead(name: str) -> object:
        def looked_at(path: Path, *args: object, **kwargs: object) -> object:
            if path in paths:
                raise PermissionError(13, "Permission denied", str(path))
            return really[name](path, *args, **kwargs)

        return looked_at

    for name in really:
        monkeypatch.setattr(Path, name, instead(name))
    return paths


def test_all_is_well(machine: Healthy, env_file: Path) -> None:
    assert machine.found_by(configuration.check) == [
        f"OK configuration: {env_file} (mode 0640)",
        "OK key: there, from the credential gemini-api-key",
    ]


# --- the env file


def test_no_env_file(machine: Healthy, env_file: Path) -> None:
    env_file.unlink()
    assert machine.faults_by(configuration.check) == [
        (
            f"WARN configuration: there is no {env_file}: every option has its default"
            f" -> sudo install -D -m 0640 -g speakerd /dev/null {env_file}, "
            "and see `speakerd config`"
        )
    ]


def test_no_env_file_where_there_is_no_service_to_read_it(machine: Healthy, env_file: Path) -> None:
    machine.unit = {"LoadState": "not-found"}
    env_file.unlink()
    (found,) = machine.faults_by(configuration.check)
    assert f" -> sudo install -D -m 0640 /dev/null {env_file}, and" in found


def test_a_comment_behind_a_value(machine: Healthy, env_file: Path) -> None:
    machine.env_file("SPEAKERD_CAPTURE_DEVICE=plughw:CARD=Mic # mine\n")
    (found,) = machine.faults_by(configuration.check)
    assert found.startswith(
        f"WARN configuration: SPEAKERD_CAPTURE_DEVICE in {env_file} ends with what"
    )
    assert found.endswith(f" quotes -> mend it there, {RELOAD}")


def test_an_env_file_that_cannot_be_parsed(machine: Healthy, env_file: Path) -> None:
    machine.env_file("SPEAKERD_MODEL\n")
    assert machine.faults_by(configuration.check) == [
        (
            f"FAIL configuration: {env_file}:1: NAME=value expected, but there is no '='"
            f" -> sudoedit {env_file}, {RELOAD}"
        )
    ]


def test_an_env_file_that_only_root_may_read(
    machine: Healthy, env_file: Path, refused: list[Path]
) -> None:
    refused.append(env_file)
    (found,) = machine.faults_by(configuration.check)
    assert found.startswith(f"WARN configuration: {env_file}: permission denied; it is for user ")
    assert found.endswith("; what follows is by the defaults -> sudo speakerd doctor")


@pytest.mark.parametrize(("mode", "folder"), [(0o640, 0o755), (0o600, 0o755), (0o644, 0o700)])
def test_an_env_file_that_the_service_may_not_read(
    machine: Healthy, env_file: Path, mode: int, folder: int
) -> None:
    machine.write("etc/passwd", f"speakerd:x:{SERVICE_UID}:990:::\n")
    env_file.chmod(mode)
    env_file.parent.chmod(folder)
    (found,) = machine.faults_by(configuration.check)
    assert found == (
        f"FAIL configuration: user speakerd may not read {env_file} (mode {mode:04o}): "
        f"it does not start -> sudo chmod 0755 {env_file.parent} && "
        f"sudo chown root:speakerd {env_file} && sudo chmod 0640 {env_file}"
    )


def test_an_env_file_that_the_services_group_may_read(machine: Healthy, env_file: Path) -> None:
    gid = env_file.stat().st_gid
    machine.write("etc/passwd", f"speakerd:x:{SERVICE_UID}:{gid}:::\n")
    env_file.parent.chmod(0o750)
    assert machine.faults_by(configuration.check) == []


def test_nobody_is_told_to_change_the_mode_of_a_device(machine: Healthy) -> None:
    machine.shell["SPEAKERD_ENV_FILE"] = "/dev/null"
    found = machine.found_by(configuration.check)
    assert "OK configuration: /dev/null stands for no env file" in found
    assert not any("chmod" in line for line in found)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o666])
def test_an_env_file_with_a_key_for_all_to_read(
    machine: Healthy, env_file: Path, mode: int
) -> None:
    machine.env_file(f"GEMINI_API_KEY={KEY}\n", mode)
    assert machine.faults_by(configuration.check) == [
        (
            f"WARN configuration: everybody on this machine may read {env_file} (mode {mode:04o}), "
            f"and a secret is in it -> sudo chown root:speakerd {env_file}"
            f" && sudo chmod 0640 {env_file}"
        )
    ]


def test_an_env_file_without_a_key_may_be_read(machine: Healthy) -> None:
    machine.env_file("SPEAKERD_VOICE=Kore\n", 0o644)
    assert machine.faults_by(configuration.check) == []


def test_an_env_file_that_others_may_write(machine: Healthy, env_file: Path) -> None:
    machine.env_file("", 0o660)
    assert machine.faults_by(configuration.check) == [
        (
            f"WARN configuration: others than root may write {env_file} (mode 0660)"
            f" -> sudo chmod 0640 {env_file}"
        )
    ]


def test_a_value_that_cannot_be_used(machine: Healthy, env_file: Path) -> None:
    machine.env_file("SPEAKERD_BUTTON_PIN=99\n")
    assert machine.faults_by(configuration.check) == [
        (
            f"FAIL configuration: SPEAKERD_BUTTON_PIN in {env_file} is '99'; "
            "allowed: a whole number from 0 to 53"
            f" -> change SPEAKERD_BUTTON_PIN in {env_file}, {RELOAD}"
        )
    ]


def test_a_value_that_cannot_be_used_in_the_environment(machine: Healthy) -> None:
    machine.unit["Environment"] = "SPEAKERD_LINK=never"
    (found,) = machine.faults_by(configuration.check)
    assert "SPEAKERD_LINK in the environment is 'never'" in found
    assert found.endswith(f" -> change SPEAKERD_LINK in the environment, {RELOAD}")


def test_a_name_that_is_mistyped(machine: Healthy, env_file: Path) -> None:
    machine.env_file("SPEAKERD_VOCIE=Kore\n")
    assert machine.faults_by(configuration.check) == [
        (
            f"WARN configuration: SPEAKERD_VOCIE in {env_file} is not an option; "
            f"did you mean SPEAKERD_VOICE? -> take it out, or correct its name, {RELOAD}"
        )
    ]


@pytest.mark.parametrize(
    "line", ["SPEAKERD_VAD_START=high", "SPEAKERD_SYSTEM_INSTRUCTION=You are in {place}."]
)
def test_an_option_that_needs_another_one(machine: Healthy, line: str) -> None:
    machine.env_file(f"{line}\n")
    (found,) = machine.faults_by(configuration.check)
    assert found.endswith(f" -> set what it needs, or take it out, {RELOAD}")


def test_a_budget_that_cannot_be_counted(machine: Healthy) -> None:
    machine.env_file("SPEAKERD_MODEL=gemini-99-live\nSPEAKERD_DAILY_BUDGET=2\n")
    (found,) = machine.faults_by(configuration.check)
    assert found.startswith("WARN configuration: SPEAKERD_DAILY_BUDGET does not count gemini-99")
    assert found.endswith(f" -> set SPEAKERD_PRICES, {RELOAD}")


def test_that_whoever_runs_the_doctor_cannot_write_the_state_is_no_fault(machine: Healthy) -> None:
    machine.env_file("SPEAKERD_STATE_DIRECTORY=/nonexistent\n")
    assert machine.faults_by(configuration.check) == []


# --- the shell


def test_what_only_the_shell_sets(machine: Healthy) -> None:
    machine.shell |= {"SPEAKERD_VOICE": "Kore", "HTTPS_PROXY": "http://proxy:1", "HOME": "/"}
    assert machine.faults_by(configuration.check) == [
        (
            "WARN configuration: only this shell sets HTTPS_PROXY, SPEAKERD_VOICE: "
            "the service does not see it -> unset HTTPS_PROXY SPEAKERD_VOICE"
        )
    ]


def test_what_the_unit_sets_too_is_no_fault(machine: Healthy) -> None:
    machine.unit["Environment"] = 'SPEAKERD_VOICE=Kore "SPEAKERD_SYSTEM_INSTRUCTION=Be brief."'
    machine.shell["SPEAKERD_VOICE"] = "Kore"
    assert machine.faults_by(configuration.check) == []
    loaded = machine.system().loaded
    assert loaded is not None
    assert loaded.settings.system_instruction == "Be brief."


def test_without_a_service_the_shell_is_all_there_is(machine: Healthy) -> None:
    machine.unit = {"LoadState": "not-found"}
    machine.shell["SPEAKERD_VOICE"] = "Kore"
    assert machine.faults_by(configuration.check) == []


# --- the key


def test_no_key(machine: Healthy, stored: Path) -> None:
    stored.unlink()
    assert machine.faults_by(configuration.check) == [
        (
            f"WARN key: the speaker that runs has one; for the next start none is in {stored}"
            " -> sudo speakerd key, unless a drop-in gives one"
        )
    ]
    machine.is_silent("no daemon answers")
    assert machine.faults_by(configuration.check) == [
        "FAIL key: there is no GEMINI_API_KEY anywhere -> sudo speakerd key"
    ]


def test_a_file_that_was_changed_and_not_read_again(machine: Healthy) -> None:
    path = machine.env_file("SPEAKERD_TAIL_MS=400\n")
    machine.says({"env_file_mtime_ns": path.stat().st_mtime_ns})
    assert machine.faults_by(configuration.check) == []
    os.utime(path, ns=(1, 1))
    assert machine.faults_by(configuration.check) == [
        (
            f"WARN configuration: {path} was changed after the daemon has read it"
            " -> sudo speakerd reload"
        )
    ]


def test_a_key_that_is_none(machine: Healthy) -> None:
    machine.store_key("not a key")
    assert machine.faults_by(configuration.check) == [
        (
            "FAIL key: GEMINI_API_KEY in the credential gemini-api-key holds a blank, a quote or "
            "another character that no key has; copy it again -> sudo speakerd key"
        )
    ]


def test_a_stored_key_that_only_root_may_see(
    machine: Healthy, stored: Path, refused: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, _mode: path != stored)
    refused.append(stored)
    machine.privileged = False
    assert machine.found_by(configuration.check)[-1] == (
        "OK key: the speaker that runs has one; only root may read it"
    )
    machine.is_silent("no daemon answers")
    assert machine.faults_by(configuration.check) == [
        f"WARN key: whether one is in {stored}, only root may see -> sudo speakerd doctor"
    ]
    machine.env_file(f"GEMINI_API_KEY={KEY}\n")
    assert machine.found_by(configuration.check)[-1] == (
        f"OK key: there, from {machine.root}/etc/speakerd/speakerd.env; "
        "whether another one is stored, only root may see"
    )


def test_two_different_keys(machine: Healthy, env_file: Path, stored: Path) -> None:
    machine.env_file("GEMINI_API_KEY=another-key-of-somebody\n")
    assert machine.faults_by(configuration.check) == [
        (
            f"WARN key: the one in {env_file} wins over another one in {stored}"
            f" -> take GEMINI_API_KEY out of {env_file}"
        )
    ]


def test_the_same_key_twice(machine: Healthy, env_file: Path) -> None:
    machine.env_file(f"GEMINI_API_KEY={KEY}\n")
    assert machine.found_by(configuration.check)[-1] == f"OK key: there, from {env_file}"


def test_a_stored_key_for_all_to_read(machine: Healthy, stored: Path) -> None:
    machine.store_key(KEY, 0o644)
    assert machine.faults_by(configuration.check) == [
        f"WARN key: others than root may read {stored} (mode 0644) -> sudo chmod 0600 {stored}"
    ]


# --- tokens in place of the key

TOKENS = "SPEAKERD_TOKEN_COMMAND=ssh keyholder speakerd token\n"


def test_tokens_need_no_key(machine: Healthy, stored: Path) -> None:
    stored.unlink()
    machine.env_file(TOKENS)
    found = machine.found_by(configuration.check)
    assert found[-1] == "OK key: none is needed: SPEAKERD_TOKEN_COMMAND is set"


def test_a_stored_key_beside_tokens(machine: Healthy, stored: Path) -> None:
    machine.env_file(TOKENS)
    (line,) = machine.faults_by(configuration.check)
    assert line == (
        f"WARN key: one is in {stored}, but SPEAKERD_TOKEN_COMMAND is set: it is not used"
        f" -> sudo rm {stored}"
    )


def test_a_key_in_the_file_beside_tokens(machine: Healthy, env_file: Path, stored: Path) -> None:
    stored.unlink()
    machine.env_file(f"GEMINI_API_KEY={KEY}\n{TOKENS}")
    (line,) = machine.faults_by(configuration.check)
    assert line == (
        f"WARN key: one is in {env_file}, but SPEAKERD_TOKEN_COMMAND is set: it is not used"
        " -> take GEMINI_API_KEY out of it"
    )


def test_two_sources_of_tokens(machine: Healthy, env_file: Path, stored: Path) -> None:
    stored.unlink()
    machine.env_file(f"{TOKENS}SPEAKERD_TOKEN_URL=https://tokens.example/\n")
    (line,) = machine.faults_by(configuration.check)
    assert line == (
        f"FAIL configuration: SPEAKERD_TOKEN_URL in {env_file} is one too many: "
        "SPEAKERD_TOKEN_COMMAND is set, too; choose one of them"
        f" -> change SPEAKERD_TOKEN_URL in {env_file}, {RELOAD}"
    )


def test_an_address_of_tokens_for_all_to_read(machine: Healthy, stored: Path) -> None:
    stored.unlink()
    machine.env_file("SPEAKERD_TOKEN_URL=https://me:pass@tokens.example/\n", 0o644)
    (line,) = machine.faults_by(configuration.check)
    assert "everybody on this machine may read" in line
