"""The unit and what belongs to it, as systemd itself reads them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "speakerd.service"
TEXT = UNIT.read_text(encoding="utf-8")
#: 1.5; systemd-analyze counts in tenths.
EXPOSURE_AT_MOST = "15"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)


def values(text: str = TEXT) -> dict[str, list[str]]:
    """Each directive with all that is given to it."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and line[0] not in "#[":
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def verify(text: str, root: Path) -> str:
    """What ``systemd-analyze verify`` complains of, on a machine where speakerd is installed."""
    units, programs = root / "etc/systemd/system", root / "opt/speakerd/bin"
    for folder in (units, programs):
        folder.mkdir(parents=True)
    (units / UNIT.name).write_text(text, encoding="utf-8")
    (programs / "speakerd").write_text("#!/bin/sh\n", encoding="utf-8")
    (programs / "speakerd").chmod(0o755)
    done = subprocess.run(
        # not the units of systemd itself, which are not there
        ["systemd-analyze", "verify", "--recursive-errors=no", f"--root={root}", UNIT.name],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr + (f"exit {done.returncode}" if done.returncode else "")


def security(text: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    unit = folder / UNIT.name
    unit.write_text(text, encoding="utf-8")
    return subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", *more, str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )


@needs_systemd
def test_systemd_has_nothing_to_say_against_it(tmp_path: Path) -> None:
    assert verify(TEXT, tmp_path) == ""


@needs_systemd
def test_systemd_would_complain_of_a_misspelt_directive(tmp_path: Path) -> None:
    assert "WatchdogSecs" in verify(TEXT.replace("WatchdogSec=", "WatchdogSecs="), tmp_path)


@needs_systemd
def test_the_exposure_is_low(tmp_path: Path) -> None:
    done = security(TEXT, tmp_path, f"--threshold={EXPOSURE_AT_MOST}")
    assert done.returncode == 0, done.stdout


@needs_systemd
def test_the_exposure_would_not_be_low_without_a_part_of_the_sandbox(tmp_path: Path) -> None:
    worse = TEXT.replace("NoNewPrivileges=yes", "").replace("CapabilityBoundingSet=\n", "")
    assert security(worse, tmp_path, f"--threshold={EXPOSURE_AT_MOST}").returncode != 0


@needs_systemd
def test_what_the_sandbox_lacks_is_explained(tmp_path: Path) -> None:
    done = security(TEXT, tmp_path, "--json=short")
    lacking = {
        row["name"].split("=")[0]
        for row in json.loads(done.stdout)
        if row["exposure"] and float(row["exposure"]) > 0
    }
    assert "PrivateDevices" in lacking
    comments = "\n".join(line for line in TEXT.splitlines() if line.startswith("#"))
    assert [name for name in sorted(lacking) if f"{name}=" not in comments] == []


@needs_systemd
def test_with_a_keypad_it_may_read_input_devices_and_is_closed_otherwise(tmp_path: Path) -> None:
    more = (FOLDER / "speakerd-keypad.conf").read_text(encoding="utf-8").partition("[Service]\n")[2]
    assert values(more) == {"SupplementaryGroups": ["input"], "DeviceAllow": ["char-input r"]}
    both = TEXT.replace("[Install]", f"[Service]\n{more}\n[Install]")
    assert verify(both, tmp_path / "verify") == ""
    done = security(both, tmp_path, f"--threshold={EXPOSURE_AT_MOST}")
    assert done.returncode == 0, done.stdout


@needs_systemd
def test_with_a_camera_it_may_open_those_and_nothing_more(tmp_path: Path) -> None:
    text = (FOLDER / "speakerd-camera.conf").read_text(encoding="utf-8")
    before, _, service = text.partition("[Service]\n")
    modules = ["modprobe@mc.service modprobe@videodev.service"]
    assert values(before) == {"Wants": modules, "After": modules}  # no other ordering
    assert values(service) == {
        "SupplementaryGroups": ["video"],
        "DeviceAllow": ["char-video4linux rw", "char-media rw", "char-dma_heap rw"],
        "RestrictAddressFamilies": ["AF_NETLINK"],
        "MemoryMax": ["384M"],
        "OOMPolicy": ["continue"],  # or a picture that takes too much would end the service
    }
    both = TEXT.replace("[Install]", f"{text}\n[Install]")
    assert verify(both, tmp_path / "verify") == ""
    done = security(both, tmp_path, f"--threshold={EXPOSURE_AT_MOST}")
    assert done.returncode == 0, done.stdout


@needs_systemd
def test_with_mcp_servers_commands_have_what_they_need_and_no_devices(tmp_path: Path) -> None:
    text = (FOLDER / "speakerd-mcp.conf").read_text(encoding="utf-8").partition("[Service]\n")[2]
    assert values(text) == {
        "MemoryDenyWriteExecute": ["no"],
        "RestrictAddressFamilies": ["AF_NETLINK"],
        "MemoryMax": ["512M"],
        "OOMPolicy": ["continue"],  # or a server that takes too much would end the service
        "TasksMax": ["256"],
    }
    both = TEXT.replace("[Install]", f"[Service]\n{text}\n[Install]")
    assert verify(both, tmp_path / "verify") == ""


def test_what_people_and_programs_rely_on() -> None:
    unit = values()
    for name, value in {
        "Type": "notify",
        "NotifyAccess": "main",
        "KillMode": "mixed",  # or what the voice has started would be told to end, and tell of it
        "ExecStart": "/opt/speakerd/bin/speakerd run",
        "ExecReload": "/opt/speakerd/bin/speakerd reload",
        "Restart": "on-failure",
        "RestartPreventExitStatus": "78 243",
        "LoadCredential": "gemini-api-key",  # without a path: it may be missing
        "User": "speakerd",
        "Group": "speakerd",
        "SupplementaryGroups": "audio gpio",
        "StateDirectory": "speakerd",
        "StateDirectoryMode": "0700",
        "CacheDirectory": "speakerd",
        "CacheDirectoryMode": "0700",
        "RuntimeDirectory": "speakerd",
        "RuntimeDirectoryMode": "0750",  # the socket in it is the group's
        "WorkingDirectory": "%t/speakerd",  # lgpio writes a pipe there
        "LimitCORE": "0",  # the watchdog's SIGABRT would write the key to the disk
        "StartLimitIntervalSec": "0",
        "SystemCallErrorNumber": "EPERM",
        "WantedBy": "multi-user.target",
    }.items():
        assert unit[name] == [value], name


def test_the_devices_are_those_of_alsa_and_gpio() -> None:
    unit = values()
    assert unit["DevicePolicy"] == ["closed"]
    # 116: ALSA's major, for a sound driver that is loaded after the start (kernel: sound/core.h)
    assert unit["DeviceAllow"] == ["char-alsa rw", "char-116 rw", "char-gpiochip rw"]


@pytest.mark.parametrize(
    "name",
    [
        "EnvironmentFile",  # its values would be frozen
        "Environment",
        "DynamicUser",
        "PrivateDevices",
        "PrivateIPC",  # other players use the same dmix
        "PrivateUsers",
        "RemoveIPC",
        "ProcSubset",  # gpiozero looks for the board
        "PrivateNetwork",
        "Wants",
        "After",
        "Requires",
    ],
)
def test_what_would_break_it_is_not_there(name: str) -> None:
    assert name not in values()


def test_starting_and_reloading_may_take_longer_than_the_slowest_reload() -> None:
    assert int(values()["TimeoutStartSec"][0]) > 75  # speakerd.cli waits so long


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd is not installed")
def test_all_groups_of_the_unit_exist_on_any_machine(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    rules = FOLDER / "speakerd.sysusers"
    subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", str(rules)], check=True, capture_output=True
    )
    groups = {
        line.split(":")[0]: line.split(":")[3].split(",")
        for line in (tmp_path / "etc/group").read_text(encoding="utf-8").splitlines()
    }
    unit = values()
    for group in unit["SupplementaryGroups"][0].split():
        assert unit["User"][0] in groups[group]
    assert unit["Group"][0] in groups
    for name in ("keypad", "camera"):
        dropin = (FOLDER / f"speakerd-{name}.conf").read_text(encoding="utf-8")
        assert set(values(dropin)["SupplementaryGroups"]) <= set(groups)
    user = (tmp_path / "etc/passwd").read_text(encoding="utf-8")
    assert user.startswith("speakerd:")
    assert user.strip().endswith("nologin")
