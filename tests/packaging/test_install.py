"""make install and make uninstall: what they do, in which order, and what a failure leaves."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.packaging.stubs import CHECKOUT

if TYPE_CHECKING:
    from tests.packaging.stubs import Machine

ENV = "etc/speakerd/speakerd.env"
UNIT = "usr/local/lib/systemd/system/speakerd.service"
KEY = "etc/credstore/gemini-api-key"


def store_key(machine: Machine) -> None:
    (machine.root / KEY).parent.mkdir(parents=True)
    (machine.root / KEY).write_text("key", encoding="utf-8")


def break_version(machine: Machine) -> None:
    with (machine.checkout / "systemd/speakerd.env.example").open("a", encoding="utf-8") as file:
        file.write("# BROKEN\n")


def test_a_first_installation(machine: Machine) -> None:
    said = machine.install()
    for source, target in {
        "speakerd.service": UNIT,
        "speakerd.sysusers": "usr/local/lib/sysusers.d/speakerd.conf",
        "speakerd.udev": "usr/local/lib/udev/rules.d/60-speakerd.rules",
        "speakerd.env.example": ENV,
    }.items():
        assert machine.text(target) == (CHECKOUT / "systemd" / source).read_text(encoding="utf-8")
    assert machine.text(f"{ENV}.example") == machine.text(ENV)
    assert (machine.root / ENV).stat().st_mode & 0o777 == 0o640
    assert machine.called(f"chown root:speakerd {machine.root}/{ENV}")
    kept = [machine.root / "var/lib/speakerd", machine.root / "var/cache/speakerd"]
    assert [folder.stat().st_mode & 0o777 for folder in kept] == [0o700, 0o700]
    assert machine.called(f"chown speakerd:speakerd {kept[0]} {kept[1]}")
    assert str((machine.root / "usr/local/bin/speakerd").readlink()) == "/opt/speakerd/bin/speakerd"
    assert machine.releases() == [machine.current()]
    assert "the doctor has looked" in said
    assert said.rstrip().endswith("sudo speakerd key")


def test_users_come_before_the_service_and_the_service_is_enabled_before_it_starts(
    machine: Machine,
) -> None:
    machine.install()
    steps = [
        call
        for call in machine.called("system")
        if call.startswith(("systemd-sysusers", "systemctl enable", "systemctl restart"))
        or call == "systemctl daemon-reload"
    ]
    assert [step.split()[:2] for step in steps[1:]] == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable"],
        ["systemctl", "restart"],
    ]
    assert steps[0].startswith("systemd-sysusers")


def test_only_what_the_lock_vouches_for_is_installed(machine: Machine) -> None:
    machine.install()
    installs = [call for call in machine.called("python") if " install " in call]
    assert len(installs) == 3
    assert all("--require-hashes" in call for call in installs[:2])
    assert "--no-index --no-deps" in installs[2]
    assert "--no-build-isolation" in installs[1]


def test_with_a_key_it_does_not_ask_for_one(machine: Machine) -> None:
    store_key(machine)
    assert "speakerd key" not in machine.install()


def test_the_key_may_be_in_the_env_file(machine: Machine) -> None:
    machine.install()
    (machine.root / ENV).write_text("GEMINI_API_KEY=key\n", encoding="utf-8")
    assert "speakerd key" not in machine.install()


def test_nothing_is_written_into_the_checkout(machine: Machine) -> None:
    before = sorted(machine.checkout.rglob("*"))
    machine.install()
    machine.run("uninstall.sh")
    assert sorted(machine.checkout.rglob("*")) == before


def test_a_second_time_nothing_is_built_and_nothing_restarted(machine: Machine) -> None:
    machine.install()
    before = machine.files()
    assert "Nothing to build" in machine.install()
    assert machine.files() == before
    assert not machine.called("python3 -m venv")
    assert not machine.called("systemctl restart")


def test_a_second_time_starts_what_does_not_run(machine: Machine) -> None:
    machine.install()
    (machine.state / "active").unlink()
    machine.install()
    assert machine.called("systemctl restart speakerd")


def test_an_interrupted_upgrade_is_finished_by_the_next_run(machine: Machine) -> None:
    machine.install()
    machine.change("2")
    machine.systemd_runs(False)  # as far as the switch, and no further
    machine.install()
    machine.systemd_runs(True)
    machine.install()
    assert machine.called("systemctl restart speakerd")


def test_the_strictest_umask_of_root_locks_nobody_out(machine: Machine) -> None:
    assert machine.run("install.sh", umask=0o077).returncode == 0
    for path in machine.root.rglob("*"):
        mode = path.stat(follow_symlinks=False).st_mode & 0o777
        relative = str(path.relative_to(machine.root))
        private = ("run", "var/lib/speakerd", "var/cache/speakerd", ENV)
        if not relative.startswith(private):
            assert mode & 0o044 == 0o044, relative


def test_what_a_person_has_disabled_stays_so(machine: Machine) -> None:
    machine.install()
    (machine.state / "enabled").write_text("disabled")
    (machine.state / "active").unlink()
    machine.change("2")
    assert "not started, because it is disabled" in machine.install()
    assert not machine.called("systemctl enable")
    assert not machine.called("systemctl restart")


def test_a_masked_service_is_installed_all_the_same(machine: Machine) -> None:
    (machine.state / "enabled").write_text("masked")
    assert "not started, because it is masked" in machine.install()
    assert not machine.called("systemctl enable")
    assert machine.current()


def test_what_was_interrupted_before_it_was_enabled_is_enabled_by_the_next_run(
    machine: Machine,
) -> None:
    machine.install()
    (machine.root / "opt" / machine.current() / "enabled").unlink()
    (machine.state / "enabled").write_text("disabled")
    machine.install()
    assert machine.called("systemctl enable")


def test_a_changed_unit_is_a_reason_to_restart(machine: Machine) -> None:
    machine.install()
    (machine.root / UNIT).write_text("[Unit]\n", encoding="utf-8")
    machine.install()
    assert machine.text(UNIT) != "[Unit]\n"
    assert machine.called("systemctl restart speakerd")


def test_an_upgrade_keeps_configuration_conversation_and_key(machine: Machine) -> None:
    machine.install()
    old = machine.current()
    store_key(machine)
    (machine.root / ENV).write_text("SPEAKERD_BUTTON_PIN=27\n", encoding="utf-8")
    (machine.root / "var/lib/speakerd/conversation.json").write_text("{}", encoding="utf-8")
    machine.change("2")
    said = machine.install()
    assert machine.current() != old
    assert machine.releases() == [machine.current()]
    assert machine.called("systemctl restart speakerd")
    assert machine.text(ENV) == "SPEAKERD_BUTTON_PIN=27\n"
    assert machine.text("var/lib/speakerd/conversation.json") == "{}"
    assert machine.text(KEY) == "key"
    assert "Keeping /etc/speakerd/speakerd.env" in said


@pytest.fixture
def library(machine: Machine) -> Path:
    """Of a version that is installed: its only library's only file, below /opt/speakerd."""
    machine.install()
    folder = Path("lib/python3/site-packages")
    record = machine.root / "opt/speakerd" / folder / "library-1.dist-info/RECORD"
    record.parent.mkdir(parents=True)
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"answer = 42\n").digest()).rstrip(b"=")
    record.write_text(
        f"library.py,sha256={digest.decode()},12\nlibrary-1.dist-info/RECORD,,\n"
        f"../../../bin/library,sha256={digest.decode()},12\n"  # which is removed
    )
    itself = record.parents[1] / "speakerd-1.dist-info"
    itself.mkdir()
    (itself / "METADATA").write_text("Name: speakerd\nVersion: 1\n")
    (itself / "RECORD").write_text(f"speakerd/gone.py,sha256={digest.decode()},12\n")
    (record.parent / "METADATA").write_text("Name: library\nVersion: 1\n")
    (machine.root / "opt/speakerd" / folder / "library.py").write_text("answer = 42\n")
    return folder / "library.py"


def test_an_upgrade_takes_the_libraries_of_the_version_before(
    machine: Machine, library: Path
) -> None:
    machine.change("2")
    assert "the libraries of the version before" in machine.install()
    assert (machine.root / "opt/speakerd" / library).exists()
    assert not machine.called("python3 -m venv")
    (install,) = (call for call in machine.called("python") if " install " in call)
    assert "--no-index --no-deps" in install


@pytest.mark.parametrize(
    "change", ["lock", "file", "missing", "unreadable", "unknown", "empty", "none"]
)
def test_an_upgrade_does_not_take_libraries_that_are_others(
    machine: Machine, library: Path, change: str
) -> None:
    file = machine.root / "opt/speakerd" / library
    match change:
        case "lock":
            lock = machine.checkout / "requirements.lock"
            lock.write_text(lock.read_text(encoding="utf-8").replace("pydantic==", "pydantic==9"))
        case "file":
            file.write_bytes(bytes(12))
        case "missing":
            file.unlink()
        case "unreadable":
            (file.parent / "library-1.dist-info/RECORD").write_bytes(b"\xff")
        case "unknown":
            (file.parent / "library-1.dist-info/RECORD").unlink()
        case "empty":
            (file.parent / "library-1.dist-info/RECORD").write_bytes(b"")
        case "none":
            shutil.rmtree(file.parent / "library-1.dist-info")
    machine.change("2")
    machine.install()
    assert not (machine.root / "opt/speakerd" / library).exists()
    assert machine.called("python3 -m venv")


def test_a_failed_build_leaves_the_old_version_running(machine: Machine) -> None:
    machine.install()
    before = machine.files()
    machine.change("2")
    machine.set("no-network")
    done = machine.run("install.sh")
    assert done.returncode == 1
    assert "no network" in done.stderr
    assert "what was installed before is as it was" in done.stderr
    assert machine.files() == before
    assert not machine.called("systemctl")


def test_a_failed_first_build_leaves_nothing(machine: Machine) -> None:
    machine.set("no-network")
    assert machine.run("install.sh").returncode == 1
    assert machine.files() == ["opt"]


def test_after_a_failure_it_can_be_tried_again(machine: Machine) -> None:
    machine.set("no-network")
    assert machine.run("install.sh").returncode == 1
    (machine.state / "no-network").unlink()
    machine.install()
    assert machine.current()


def test_what_a_power_cut_has_left_half_built_is_built_anew(machine: Machine) -> None:
    machine.install()
    (machine.root / "opt" / machine.current() / "complete").unlink()
    assert "Building" in machine.install()


def test_a_new_version_that_does_not_start_gives_way_to_the_old_one(machine: Machine) -> None:
    store_key(machine)
    machine.install()
    before = machine.files()
    old, unit = machine.current(), machine.text(UNIT)
    break_version(machine)
    with (machine.checkout / "systemd/speakerd.service").open("a", encoding="utf-8") as file:
        file.write("# newer\n")
    done = machine.run("install.sh")
    assert done.returncode == 1
    assert "the reason why" in done.stderr
    assert "the old one is back" in done.stderr
    assert machine.current() == old
    assert machine.text(UNIT) == unit
    assert (machine.state / "active").exists()
    assert machine.files() == before


def test_a_first_version_that_does_not_start_says_why(machine: Machine) -> None:
    store_key(machine)
    break_version(machine)
    done = machine.run("install.sh")
    assert done.returncode == 1
    assert "the reason why" in done.stderr


def test_not_starting_for_want_of_a_key_is_no_failure(machine: Machine) -> None:
    break_version(machine)
    done = machine.run("install.sh")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.rstrip().endswith("sudo speakerd key")


def test_what_the_key_has_started_is_not_started_again(machine: Machine) -> None:
    break_version(machine)
    machine.install()
    store_key(machine)
    machine.set("active")
    machine.install()
    assert not machine.called("systemctl restart")


def test_where_no_systemd_runs_it_is_installed_and_not_started(machine: Machine) -> None:
    machine.systemd_runs(False)
    said = machine.install()
    assert "starts with the next boot" in said
    assert machine.called("systemctl") == [
        "systemctl is-enabled speakerd",
        "systemctl enable speakerd",
    ]
    assert machine.text(UNIT)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("uid", "1000", "sudo make install"),
        ("architecture", "riscv64", "arm64, armhf or amd64"),
        ("packaged", "", "apt-get remove speakerd"),
    ],
)
def test_where_it_cannot_be_installed_one_line_says_why(
    machine: Machine, name: str, text: str, line: str
) -> None:
    machine.set(name, text)
    done = machine.run("install.sh")
    assert done.returncode == 1
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert machine.files() == []
    assert not machine.called("apt-get")


def test_somebody_elses_folder_is_not_touched(machine: Machine) -> None:
    (machine.root / "opt/speakerd").mkdir(parents=True)
    done = machine.run("install.sh")
    assert done.returncode == 1
    assert "move it away" in done.stderr
    assert machine.files() == ["opt", "opt/speakerd"]


def test_uninstalling_keeps_configuration_conversation_and_key(machine: Machine) -> None:
    machine.install()
    store_key(machine)
    done = machine.run("uninstall.sh")
    assert done.returncode == 0, done.stderr
    kept = [name for name in machine.files() if (machine.root / name).is_file()]
    assert kept == [KEY, ENV, f"{ENV}.example"]
    assert (machine.root / "var/lib/speakerd").exists()
    assert machine.called("systemctl disable speakerd")
    assert machine.called("systemctl stop speakerd")
    assert not machine.called("userdel")


def test_purging_keeps_nothing(machine: Machine) -> None:
    machine.install()
    store_key(machine)
    done = machine.run("uninstall.sh", PURGE="1")
    assert done.returncode == 0, done.stderr
    assert [name for name in machine.files() if not (machine.root / name).is_dir()] == []
    assert not (machine.root / "etc/speakerd").exists()
    assert not (machine.root / "var/lib/speakerd").exists()
    assert machine.called("userdel speakerd")


def test_uninstalling_twice_is_no_failure(machine: Machine) -> None:
    machine.install()
    assert machine.run("uninstall.sh").returncode == 0
    assert machine.run("uninstall.sh", PURGE="1").returncode == 0
    assert machine.run("uninstall.sh", PURGE="1").returncode == 0


def test_the_targets_are_there() -> None:
    for target in ("install", "uninstall", "deb", "test-install"):
        subprocess.run(["make", "-n", target], cwd=CHECKOUT, check=True, capture_output=True)
