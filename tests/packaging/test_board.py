"""Setting up a sound board: what is written, what is left alone, what is taken back."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from speakerd.config import boards, envfile
from tests.packaging.stubs import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packaging.stubs import Machine

CONFIG, ENV, ASOUND = "boot/firmware/config.txt", "etc/speakerd/speakerd.env", "etc/asound.conf"
BACKUP = f"{CONFIG}.before-speakerd"
SHIPPED = "dtparam=audio=on\ndtoverlay=vc4-kms-v3d\n[cm5]\ndtoverlay=dwc2,dr_mode=host\n"
MINE = "pcm.!default { type null }\n"
KIT, HIFI, USB = "google-aiy-voice-kit-v1", "hifiberry-dac", "usb-sound-card"
DIGIAMP = "iqaudio-dac"


def write(machine: Machine, path: str, text: str) -> Path:
    target = machine.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


@pytest.fixture
def pi(machine: Machine) -> Machine:
    """A Raspberry Pi on which speakerd is installed."""
    write(machine, CONFIG, SHIPPED)
    write(machine, ENV, "# mine\nSPEAKERD_VOICE=Kore\n").chmod(0o640)
    return machine


def set_up(
    machine: Machine, *arguments: str, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run speakerd-board, below the command ``prefix`` if any, whatever comes of it."""
    return subprocess.run(
        [*prefix, sys.executable, "-sB", str(CHECKOUT / "systemd/board.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "DESTDIR": str(machine.root)},
    )


def said(machine: Machine, *arguments: str) -> str:
    done = set_up(machine, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def options(machine: Machine) -> dict[str, str]:
    return envfile.parse(machine.text(ENV))


def contents(machine: Machine) -> dict[str, str]:
    paths = (machine.root / name for name in machine.files() if name.startswith(("boot", "etc")))
    return {
        str(path.relative_to(machine.root)): path.read_text(encoding="utf-8")
        for path in paths
        if path.is_file()
    }


# --- what it writes


@pytest.mark.parametrize("name", boards.names())
def test_every_board_can_be_set_up_and_taken_back(pi: Machine, name: str) -> None:
    before = contents(pi)
    board = boards.load(name)
    words = said(pi, name)
    assert "nobody has tried on hardware" in words
    assert options(pi) == {"SPEAKERD_VOICE": "Kore", **board.env}
    assert pi.text(ASOUND) == board.asound_conf
    assert pi.text("etc/speakerd/board/name") == f"{name}\n"
    lines = pi.text(CONFIG).splitlines()
    assert set(board.overlay.lines) <= set(lines)
    assert ("To be done: sudo reboot" in words) is bool(board.overlay.lines)
    assert board.overlay.get in words
    said(pi, "--remove")
    assert contents(pi) == before
    assert not (pi.root / "etc/speakerd/board").exists()


def test_it_holds_on_every_model_whatever_section_was_open(pi: Machine) -> None:
    said(pi, KIT)
    assert pi.text(CONFIG) == (
        f"{SHIPPED}# >>> speakerd-board: what stands before the end mark is replaced and removed"
        " by it\n[all]\ndtoverlay=googlevoicehat-soundcard\n# <<< speakerd-board\n"
    )
    assert pi.text(BACKUP) == SHIPPED


def test_a_second_time_changes_nothing_and_asks_for_no_reboot(pi: Machine) -> None:
    said(pi, KIT)
    before = contents(pi)
    words = said(pi, KIT)
    assert contents(pi) == before
    assert "To be done" not in words
    assert words.count("\n") == 1


def test_another_board_takes_the_place_of_the_first(pi: Machine) -> None:
    said(pi, KIT)
    said(pi, HIFI)
    board = boards.load(HIFI)
    assert options(pi) == {"SPEAKERD_VOICE": "Kore", **board.env}
    assert pi.text(ASOUND) == board.asound_conf
    assert "googlevoicehat" not in pi.text(CONFIG)
    assert pi.text(CONFIG).count("speakerd-board") == 2
    assert pi.text(BACKUP) == SHIPPED
    said(pi, USB)  # which wants no overlay
    assert pi.text(CONFIG) == SHIPPED


def test_the_older_place_of_config_txt(pi: Machine) -> None:
    (pi.root / CONFIG).rename(pi.root / "boot/config.txt")
    said(pi, KIT)
    assert "googlevoicehat" in pi.text("boot/config.txt")
    assert not (pi.root / CONFIG).exists()


def test_a_machine_without_config_txt_is_told_the_lines(pi: Machine) -> None:
    (pi.root / CONFIG).unlink()
    words = said(pi, KIT)
    assert "    dtoverlay=googlevoicehat-soundcard\n" in words
    assert "reboot" not in words
    assert pi.text(ASOUND)


def test_owner_and_mode_stay(pi: Machine) -> None:
    said(pi, KIT)
    assert (pi.root / ENV).stat().st_mode & 0o777 == 0o640
    assert (pi.root / ASOUND).stat().st_mode & 0o777 == 0o644


def test_what_is_no_utf8_and_lines_of_windows_stay(pi: Machine) -> None:
    text = b"# K\xfcche\r\ndtparam=audio=on"
    (pi.root / CONFIG).write_bytes(text)
    said(pi, KIT)
    assert (pi.root / CONFIG).read_bytes().startswith(text + b"\n# >>> speakerd-board")
    said(pi, "--remove")
    assert (pi.root / CONFIG).read_bytes() == text + b"\n"


def test_the_list(pi: Machine) -> None:
    said(pi, USB)
    lines = said(pi).splitlines()
    assert [line.split()[0] for line in lines] == boards.names()
    assert lines[-1].endswith("USB sound card (set up here)")


# --- what a person has written


def test_an_option_of_ones_own_wins(pi: Machine) -> None:
    write(pi, ENV, "SPEAKERD_BUTTON_PIN=5\nSPEAKERD_LED_PINS=\n")
    words = said(pi, KIT)
    assert options(pi)["SPEAKERD_BUTTON_PIN"] == "5"
    assert options(pi)["SPEAKERD_LED_PINS"] == "25"  # one that is empty says nothing
    assert "SPEAKERD_BUTTON_PIN=5 stays as you have set it; the board's is 23\n" in words


def test_an_option_that_was_changed_among_ours_is_theirs(pi: Machine) -> None:
    said(pi, KIT)
    text = pi.text(ENV)
    write(pi, ENV, text.replace("SPEAKERD_BUTTON_PIN=23", "SPEAKERD_BUTTON_PIN=5"))
    said(pi, KIT)
    assert options(pi)["SPEAKERD_BUTTON_PIN"] == "5"
    said(pi, HIFI)
    assert options(pi)["SPEAKERD_BUTTON_PIN"] == "5"
    said(pi, "--remove")
    assert options(pi) == {"SPEAKERD_VOICE": "Kore", "SPEAKERD_BUTTON_PIN": "5"}


@pytest.mark.parametrize("above", ["", "[pi3]\n[all]\n", "[cm5]\nx=1\n [ALL] \r\n"])
def test_an_overlay_that_is_there_is_not_loaded_twice(pi: Machine, above: str) -> None:
    text = f"{above}dtoverlay=googlevoicehat-soundcard\n".encode()
    (pi.root / CONFIG).write_bytes(text)
    said(pi, KIT)
    assert (pi.root / CONFIG).read_bytes() == text
    said(pi, "--remove")
    assert (pi.root / CONFIG).read_bytes() == text


@pytest.mark.parametrize("section", ["[pi3]", "[all]\n[none]", "[gpio4=1]"])
def test_an_overlay_that_is_there_for_some_machines_only_is_loaded(
    pi: Machine, section: str
) -> None:
    text = f"{section}\ndtoverlay=googlevoicehat-soundcard,x\n"
    write(pi, CONFIG, text)
    said(pi, KIT)
    assert pi.text(CONFIG).startswith(f"{text}# >>> speakerd-board")
    assert "\n[all]\ndtoverlay=googlevoicehat-soundcard\n# <<<" in pi.text(CONFIG)


def test_an_overlay_that_is_there_with_parameters_is_not_loaded_twice(pi: Machine) -> None:
    text = "dtoverlay=iqaudio-dacplus,unmute_amp\n"
    write(pi, CONFIG, text)
    said(pi, DIGIAMP)
    assert pi.text(CONFIG) == text


def test_parameters_that_were_given_to_a_line_of_ours_stay_as_long_as_its_overlay(
    pi: Machine,
) -> None:
    said(pi, DIGIAMP)
    changed = pi.text(CONFIG).replace("iqaudio-dacplus", "iqaudio-dacplus,unmute_amp")
    write(pi, CONFIG, changed)
    assert "reboot" not in said(pi, DIGIAMP)
    assert pi.text(CONFIG) == changed
    said(pi, HIFI)
    assert "iqaudio" not in pi.text(CONFIG)
    write(pi, CONFIG, changed)
    said(pi, "--remove")
    assert pi.text(CONFIG) == SHIPPED


def test_an_asound_conf_of_ones_own_stays(pi: Machine) -> None:
    write(pi, ASOUND, MINE)
    words = said(pi, KIT)
    assert pi.text(ASOUND) == MINE
    assert "is not speakerd's, and stays as it is" in words
    assert "        control {" in words.splitlines()
    said(pi, "--remove")
    assert pi.text(ASOUND) == MINE


def test_an_asound_conf_that_was_changed_since_is_theirs(pi: Machine) -> None:
    said(pi, KIT)
    write(pi, ASOUND, pi.text(ASOUND) + MINE)
    said(pi, HIFI)
    assert pi.text(ASOUND).endswith(MINE)


def test_an_asound_conf_of_an_older_version_is_replaced(pi: Machine) -> None:
    said(pi, KIT)
    for path in (ASOUND, "etc/speakerd/board/asound.conf"):
        write(pi, path, "# as it once was\n")
    said(pi, KIT)
    assert pi.text(ASOUND) == boards.load(KIT).asound_conf


# --- what it refuses


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        (CONFIG, "# >>> speakerd-board\ndtoverlay=x\n", "and no '# <<< speakerd-board' after it"),
        (ENV, "SPEAKERD_VOICE\n", "speakerd.env:1: NAME=value expected"),
    ],
)
def test_what_it_does_not_understand_it_leaves_as_it_is(
    pi: Machine, path: str, text: str, words: str
) -> None:
    write(pi, path, text)
    before = contents(pi)
    done = set_up(pi, KIT)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert contents(pi) == before


def test_a_board_that_is_not_known(pi: Machine) -> None:
    done = set_up(pi, "gramophone")
    assert done.returncode == 1
    assert "there is no board gramophone; there are: adafruit-voice-bonnet, " in done.stderr


def test_removing_takes_no_name(pi: Machine) -> None:
    said(pi, KIT)
    before = contents(pi)
    done = set_up(pi, "--remove", HIFI)
    assert done.returncode == 2
    assert "error: --remove takes no name" in done.stderr
    assert contents(pi) == before


@pytest.mark.parametrize("arguments", [[KIT], ["--remove"]])
def test_who_may_not_is_told_the_command(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("board", CHECKOUT / "systemd/board.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def refuse(_machine: object, _board: object) -> None:  # root, who may be testing, may all
        raise PermissionError(errno.EACCES, "Permission denied", "/etc/speakerd/board")

    monkeypatch.setattr(module.Machine, "set_up", refuse)
    monkeypatch.setattr(os, "umask", lambda _mask: 0)
    assert module.main(arguments) == 1
    command = " ".join(["sudo speakerd-board", *arguments])
    words = f"speakerd: /etc/speakerd/board: Permission denied: {command}\n"
    assert capsys.readouterr().err == words


def test_before_speakerd_is_installed_there_is_nothing_to_set(machine: Machine) -> None:
    done = set_up(machine, KIT)
    assert done.returncode == 1
    assert "install speakerd first" in done.stderr
    assert said(machine, "--remove") == "No board is set up.\n"


def test_a_full_boot_partition_leaves_no_part_of_a_file(pi: Machine) -> None:
    shipped = SHIPPED + "# a long one\n" * 1000
    write(pi, CONFIG, shipped)
    full = ("sh", "-c", 'ulimit -f 8; exec "$@"', "sh")  # 4 or 8 KiB a file
    done = set_up(pi, KIT, prefix=full)
    assert done.returncode == 1
    assert done.stderr == f"speakerd: {pi.root / BACKUP}.new: File too large\n"
    assert sorted(path.name for path in (pi.root / CONFIG).parent.iterdir()) == ["config.txt"]
    assert pi.text(CONFIG) == shipped
    said(pi, KIT)
    assert pi.text(BACKUP) == shipped


# --- make install, make uninstall, and the Debian package


def test_make_install_sets_it_up(machine: Machine) -> None:
    write(machine, CONFIG, SHIPPED)
    words = machine.install(KIT)
    assert "To be done: sudo reboot" in words
    assert options(machine) == dict(boards.load(KIT).env)
    assert "googlevoicehat" in machine.text(CONFIG)
    shared = machine.root / "opt/speakerd/share/speakerd/boards"
    assert sorted(path.stem for path in shared.iterdir()) == boards.names()
    link = machine.root / "usr/local/bin/speakerd-board"
    assert str(link.readlink()) == "/opt/speakerd/bin/speakerd-board"


@pytest.mark.parametrize("name", ["", KIT])
def test_without_a_board_nothing_is_set_up_or_changed(machine: Machine, name: str) -> None:
    write(machine, CONFIG, SHIPPED)
    machine.install(name)
    before = contents(machine)
    machine.install()
    assert contents(machine) == before
    assert (machine.root / ASOUND).exists() is bool(name)


def test_make_install_refuses_a_board_that_is_not_known_before_it_builds(machine: Machine) -> None:
    done = machine.run("install.sh", BOARD="gramophone")
    assert done.returncode == 1
    assert done.stderr.startswith("speakerd: there is no board gramophone; there are: adafruit-")
    assert done.stderr.rstrip().endswith("respeaker-2mic-hat usb-sound-card")
    assert machine.files() == []


def test_a_board_that_cannot_be_set_up_leaves_what_was_installed(machine: Machine) -> None:
    machine.install()
    old = machine.current()
    machine.change("2")
    write(machine, ENV, "nonsense\n")
    done = machine.run("install.sh", BOARD=KIT)
    assert done.returncode == 1
    assert "the board is not set up, for the reason above" in done.stderr
    assert machine.current() == old


def test_uninstalling_keeps_the_board_and_purging_takes_it_back(machine: Machine) -> None:
    write(machine, CONFIG, SHIPPED)
    machine.install(KIT)
    done = machine.run("uninstall.sh")
    assert f"Kept: the lines for {KIT} in config.txt, and /etc/asound.conf\n" in done.stdout
    assert "googlevoicehat" in machine.text(CONFIG)
    done = machine.run("uninstall.sh", PURGE="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Taking back what the board {KIT} has brought\n" in done.stdout
    assert [name for name in machine.files() if (machine.root / name).is_file()] == [CONFIG]
    assert machine.text(CONFIG) == SHIPPED


def purge_package(machine: Machine) -> str:
    """What of the package's last script is about boards: the rest would change this machine."""
    script = (CHECKOUT / "systemd/deb/postrm").read_text(encoding="utf-8")
    function = re.search(r"^take_back_board\(\) \{$.*?^\}$", script, re.MULTILINE | re.DOTALL)
    assert function is not None
    assert script.count("take_back_board") == 2  # it is called, too
    return subprocess.check_output(
        ["sh", "-euc", f"{function[0]}\ntake_back_board"],
        text=True,
        timeout=30,
        env={"PATH": "/usr/bin:/bin", "DPKG_ROOT": str(machine.root)},
    )


def test_purging_the_package_takes_it_back_too(pi: Machine) -> None:
    said(pi, KIT)
    words = purge_package(pi)
    assert "/boot/firmware/config.txt: the lines for the board are out" in words
    assert "/etc/asound.conf: removed" in words
    assert pi.text(CONFIG) == SHIPPED
    assert not (pi.root / ASOUND).exists()
    assert not (pi.root / BACKUP).exists()


def test_purging_the_package_leaves_what_is_not_its_own(pi: Machine) -> None:
    write(pi, ASOUND, MINE)
    said(pi, KIT)
    broken = pi.text(CONFIG).replace("# <<< speakerd-board\n", "")
    write(pi, CONFIG, broken)
    assert purge_package(pi) == ""
    assert (pi.text(CONFIG), pi.text(ASOUND)) == (broken, MINE)
    assert pi.text(BACKUP) == SHIPPED


def test_purging_a_package_without_a_board_looks_at_nothing(pi: Machine) -> None:
    before = contents(pi)
    assert purge_package(pi) == ""
    assert contents(pi) == before
