"""Setting up a sound board: what is written, what is left alone, what is taken back."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.config import boards, envfile
from tests.packaging.stubs import CHECKOUT

if TYPE_CHECKING:
    from types import ModuleType

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


def program() -> ModuleType:
    """speakerd-board, in this process."""
    spec = importlib.util.spec_from_file_location("board", CHECKOUT / "systemd/board.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    assert options(pi)["SPEAKERD_LED_PINS"] == ""
    assert "SPEAKERD_BUTTON_PIN=5 stays as you have set it; the board's is 23\n" in words
    assert "SPEAKERD_LED_PINS= stays as you have set it; the board's is 25\n" in words


def test_an_option_that_was_emptied_among_ours_stays_empty(pi: Machine) -> None:
    said(pi, KIT)
    line = "SPEAKERD_LED_PINS=25\n"
    write(pi, ENV, pi.text(ENV).replace(line, "SPEAKERD_LED_PINS=\n"))
    for _ in range(2):
        said(pi, KIT)
        assert options(pi)["SPEAKERD_LED_PINS"] == ""


def test_a_line_that_is_gone_from_the_block_comes_back(pi: Machine) -> None:
    said(pi, KIT)
    write(pi, ENV, pi.text(ENV).replace("SPEAKERD_LED_PINS=25\n", ""))
    said(pi, KIT)
    assert options(pi)["SPEAKERD_LED_PINS"] == "25"


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


@pytest.mark.parametrize("leads", [True, False])
def test_a_link_in_the_place_of_asound_conf_is_a_persons(pi: Machine, leads: bool) -> None:
    said(pi, KIT)
    theirs = pi.root / "etc/mine.conf"
    (pi.root / ASOUND).rename(theirs)
    if not leads:
        theirs.unlink()
    (pi.root / ASOUND).symlink_to("mine.conf")
    assert "is not speakerd's, and stays as it is" in said(pi, HIFI)
    said(pi, "--remove")
    assert (pi.root / ASOUND).is_symlink()
    assert theirs.exists() is leads


ABOVE, BELOW = "[cm5]\ndtoverlay=dwc2\n", "\n# mine\ndtparam=spi=on\n[pi4]\nx=1\n"


def test_the_blocks_stay_where_they_are(pi: Machine) -> None:
    said(pi, KIT)
    block = pi.text(CONFIG).removeprefix(SHIPPED)
    write(pi, CONFIG, f"{ABOVE}{block}{BELOW}")
    write(pi, ENV, f"{pi.text(ENV)}SPEAKERD_LANGUAGE=de\n")
    said(pi, DIGIAMP)
    assert pi.text(CONFIG).startswith(f"{ABOVE}# >>> speakerd-board")
    assert pi.text(CONFIG).endswith(f"\n# <<< speakerd-board\n{BELOW}")
    assert pi.text(ENV).endswith("\n# <<< speakerd-board\nSPEAKERD_LANGUAGE=de\n")
    assert "googlevoicehat" not in pi.text(CONFIG)


def test_a_line_that_holds_below_the_block_is_not_loaded_twice(pi: Machine) -> None:
    said(pi, KIT)
    write(pi, CONFIG, f"{pi.text(CONFIG)}dtoverlay=hifiberry-dac\n")
    said(pi, HIFI)
    assert pi.text(CONFIG) == f"{SHIPPED}[all]\ndtoverlay=hifiberry-dac\n"


@pytest.mark.parametrize(
    ("above", "below", "left"),
    [
        (ABOVE, "dtparam=spi=on\n[pi4]\nx=1\n", f"{ABOVE}[all]\ndtparam=spi=on\n[pi4]\nx=1\n"),
        (ABOVE, "", ABOVE),
        (ABOVE, "# mine\n", f"{ABOVE}# mine\n"),
        (ABOVE, "[pi4]\nx=1\n", f"{ABOVE}[pi4]\nx=1\n"),
        (f"{ABOVE}[all]\n", "x=1\n", f"{ABOVE}[all]\nx=1\n"),
        ("x=1\n", "y=1\n", "x=1\ny=1\n"),
    ],
)
@pytest.mark.parametrize("purged", [False, True])
def test_what_follows_the_block_holds_on_as_many_models_without_it(
    pi: Machine, above: str, below: str, left: str, purged: bool
) -> None:
    said(pi, KIT)
    block = pi.text(CONFIG).removeprefix(SHIPPED)
    write(pi, CONFIG, f"{above}{block}{below}")
    if purged:
        purge_package(pi)
    else:
        said(pi, "--remove")
    assert pi.text(CONFIG) == left


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


def test_a_bad_line_in_the_env_file_does_not_keep_the_board(pi: Machine) -> None:
    said(pi, KIT)
    write(pi, ENV, f"{pi.text(ENV)}nonsense\n")
    said(pi, "--remove")
    assert pi.text(ENV) == "# mine\nSPEAKERD_VOICE=Kore\nnonsense\n"
    assert pi.text(CONFIG) == SHIPPED
    assert not (pi.root / "etc/speakerd/board").exists()


def test_a_config_txt_that_has_moved_is_not_written(pi: Machine) -> None:
    moved = "The file you are looking for has moved to /boot/firmware/config.txt\n"
    said(pi, KIT)
    (pi.root / CONFIG).unlink()
    (pi.root / BACKUP).unlink()
    write(pi, "boot/config.txt", f"DO NOT EDIT THIS FILE\n\n{moved}")
    before = contents(pi)
    for argument in (HIFI, "--remove"):
        done = set_up(pi, argument)
        assert done.returncode == 1
        assert "/boot/config.txt says it has moved to /boot/firmware/config.txt" in done.stderr
        assert contents(pi) == before


def test_an_asound_conf_that_cannot_be_read_is_found_out_before_anything_is_written(
    pi: Machine,
) -> None:
    (pi.root / ASOUND).mkdir()
    before = contents(pi)
    done = set_up(pi, KIT)
    assert done.returncode == 1
    assert done.stderr == f"speakerd: {pi.root / ASOUND}: Is a directory\n"
    assert contents(pi) == before


def test_a_run_that_was_broken_off_does_not_hide_that_a_reboot_is_due(pi: Machine) -> None:
    said(pi, KIT)  # which says so, or does not come to it
    written = int((pi.root / CONFIG).stat().st_mtime)
    write(pi, "proc/stat", f"cpu 1 2 3\nbtime {written - 60}\n")
    assert "To be done: sudo reboot" in said(pi, KIT)
    write(pi, "proc/stat", f"cpu 1 2 3\nbtime {written + 60}\n")
    assert "To be done" not in said(pi, KIT)
    said(pi, USB)
    write(pi, "proc/stat", f"cpu 1 2 3\nbtime {written - 60}\n")
    assert "To be done" not in said(pi, USB)  # it has no line there


def test_what_was_renamed_is_on_the_disk_with_its_name(
    pi: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = program()
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    module.Machine(pi.root).set_up(boards.load(KIT))
    config = str(pi.root / CONFIG)
    at = synced.index(f"{config}.new")
    assert synced[at + 1] == str((pi.root / CONFIG).parent)


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
    module = program()

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


def test_purging_keeps_the_record_of_what_could_not_be_taken_back(machine: Machine) -> None:
    write(machine, CONFIG, SHIPPED)
    machine.install(KIT)
    broken = machine.text(CONFIG).replace("# <<< speakerd-board\n", "")
    write(machine, CONFIG, broken)
    done = machine.run("uninstall.sh", PURGE="1")
    assert done.returncode == 0
    assert "and no '# <<< speakerd-board' after it" in done.stderr
    assert "/etc/speakerd/board tells what was written" in done.stdout
    assert machine.text(CONFIG) == broken
    assert machine.text("etc/speakerd/board/name") == f"{KIT}\n"
    assert [path.name for path in (machine.root / "etc/speakerd").iterdir()] == ["board"]


def purge_package(machine: Machine) -> str:
    """What of the package's last script is about boards: the rest would change this machine."""
    script = (CHECKOUT / "systemd/deb/postrm").read_text(encoding="utf-8")
    functions = re.findall(r"^take_back_\w+\(\) \{$.*?^\}$", script, re.MULTILINE | re.DOTALL)
    assert len(functions) == 2
    assert script.count("take_back_board") == 2  # it is called, too
    return subprocess.check_output(
        ["sh", "-euc", "\n".join([*functions, "take_back_board"])],
        text=True,
        stderr=subprocess.DEVNULL,
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
    assert not (pi.root / "etc/speakerd/board").exists()


def test_purging_the_package_leaves_what_is_not_its_own(pi: Machine) -> None:
    write(pi, ASOUND, MINE)
    said(pi, KIT)
    broken = pi.text(CONFIG).replace("# <<< speakerd-board\n", "")
    write(pi, CONFIG, broken)
    assert purge_package(pi) == ""
    assert (pi.text(CONFIG), pi.text(ASOUND)) == (broken, MINE)
    assert pi.text(BACKUP) == SHIPPED
    assert pi.text("etc/speakerd/board/name") == f"{KIT}\n"


@pytest.mark.parametrize("lone_first", [False, True])
def test_purging_the_package_leaves_what_has_a_begin_and_no_end(
    pi: Machine, lone_first: bool
) -> None:
    said(pi, KIT)
    block = pi.text(CONFIG).removeprefix(SHIPPED)
    lone = "# >>> speakerd-board: copied\ndtparam=spi=on\n"
    write(pi, CONFIG, f"x=1\n{lone}{block}" if lone_first else f"x=1\n{block}{lone}y=1\n")
    assert "the lines for the board are out" in purge_package(pi)
    assert pi.text(CONFIG) == (f"x=1\n{lone}" if lone_first else f"x=1\n{lone}y=1\n")
    assert pi.text("etc/speakerd/board/name") == f"{KIT}\n"


def test_purging_the_package_leaves_a_link_in_the_place_of_asound_conf(pi: Machine) -> None:
    said(pi, KIT)
    (pi.root / ASOUND).rename(pi.root / "etc/mine.conf")
    (pi.root / ASOUND).symlink_to("mine.conf")
    purge_package(pi)
    assert (pi.root / ASOUND).is_symlink()


def test_purging_a_package_without_a_board_looks_at_nothing(pi: Machine) -> None:
    before = contents(pi)
    assert purge_package(pi) == ""
    assert contents(pi) == before
