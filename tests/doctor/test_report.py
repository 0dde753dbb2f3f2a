"""The report: all that helps, and nothing that is nobody's business."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from speakerd.doctor import machine as machine_area
from speakerd.doctor import report
from speakerd.doctor.findings import fail, ok
from speakerd.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.doctor.healthy import Healthy

STORED = "stored-key-0123456789"
IN_FILE = "key-in-the-file-0123456789"
IN_SHELL = "key-in-the-shell-0123456789"
GOOGLES = "AIzaSyA-123456789_123456789_123456789_1"
HANDLE = "a-handle-of-a-conversation"
UUID = "0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"
SECRETS = [
    STORED,
    IN_FILE,
    IN_SHELL,
    GOOGLES,
    HANDLE,
    UUID,
    "auth_tokens/abc123",
    "swordfish",
    "Villa Anna",
    "Gartenhaus",
    "Obergeschoss",
    "geheim",
    "kuechenpi",
    "/home/anna",
    "adduser anna",
    "de:ad:be:ef:00:01",
]
SPOKEN = ["What shall I give her?", "Give her a ring."]


@pytest.fixture
def full_of_secrets(machine: Healthy) -> Healthy:
    """Every secret, everywhere."""
    everything = "\n".join(
        [
            *SECRETS,
            f"GEMINI_API_KEY={IN_FILE}",
            'wpa: ssid="Obergeschoss" psk=geheim',
            "HTTPS_PROXY=http://anna:swordfish@proxy:3128",
            'Nov 21 10:00:00 kuechenpi speakerd[7]: heard: "What shall I give her?"',
            'Nov 21 10:00:01 kuechenpi speakerd[7]: said: "Give her a ring."',
            f'{{"handle": "{UUID}", "apiKey": "{GOOGLES}"}}',
        ]
    )
    machine.store_key(STORED)
    machine.env_file(f"GEMINI_API_KEY={IN_FILE}\nSPEAKERD_SYSTEM_INSTRUCTION={STORED}\n")
    machine.shell |= {"GEMINI_API_KEY": IN_SHELL, "SPEAKERD_VOICE": GOOGLES}
    machine.shell["HTTPS_PROXY"] = "http://anna:swordfish@proxy:3128"
    machine.write("var/lib/speakerd/conversation.json", f'{{"model": "m", "handle": "{HANDLE}"}}')
    machine.write("etc/hostname", "kuechenpi\n")
    machine.write("home/anna/notes", "")
    machine.write("etc/NetworkManager/system-connections/Villa Anna.nmconnection", "")
    machine.write("etc/wpa_supplicant/wpa_supplicant.conf", 'ssid="Obergeschoss"\npsk="geheim"\n')
    machine.run.outputs |= {
        "systemctl cat": everything,
        "journalctl -u speakerd -n 200": everything,
        "timedatectl show": everything,
        "arecord -L": everything,
        "aplay -L": everything,
        "iwgetid -r": "Gartenhaus",
    }
    for path in ("etc/os-release", "proc/asound/cards", "proc/asound/pcm", "etc/asound.conf"):
        machine.write(path, everything)
    machine.write("boot/firmware/config.txt", everything)
    machine.says({"last_error": everything, "last_error_remedy": everything})
    return machine


def test_no_secret_is_in_it_wherever_it_was(full_of_secrets: Healthy) -> None:
    found = [
        fail("daemon", f"it said {secret}", f"sudo adduser anna {secret}") for secret in SECRETS
    ]
    text = report.text(full_of_secrets.system(), found)
    assert [secret for secret in SECRETS + SPOKEN if secret in text] == []
    assert "ssid=<removed>" in text
    assert "speakerd[7]: heard: " in text
    assert "http://<login>@proxy:3128" in text


@pytest.mark.parametrize("secret", SECRETS + SPOKEN)
def test_each_secret_would_be_seen(full_of_secrets: Healthy, secret: str) -> None:
    """The test above proves something: it is all in what the report is made of."""
    assert secret in full_of_secrets.run.outputs["systemctl cat"]


def test_a_broken_env_file_hides_no_key(full_of_secrets: Healthy) -> None:
    full_of_secrets.env_file(f"GEMINI_API_KEY={IN_FILE}\nthis is no line\n")
    system = full_of_secrets.system()
    assert system.loaded is None
    text = report.text(system, [])
    assert IN_FILE not in text
    assert "speakerd.env:2: NAME=value expected" in text


def test_all_that_helps_is_in_it(machine: Healthy) -> None:
    machine.write("proc/asound/cards", " 0 [Device]: USB-Audio\n")
    machine.write("etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n')
    machine.env_file(
        "SPEAKERD_VOICE=Kore\nSPEAKERD_VOCIE=Puck\nSPEAKERD_BUTTON_PIN=99\n"
        "GOOGLE_GEMINI_BASE_URL=https://elsewhere\n"
    )
    machine.run.outputs |= {
        "systemctl cat": "ExecStart=/opt/speakerd/bin/speakerd run",
        "journalctl -u speakerd -n 200": "turn 1: answered in 1.2 s",
        "arecord -L": "plughw:CARD=Device,DEV=0",
    }
    system = machine.system()
    found = [ok("clock", "right"), fail("tls", "no", "mend it")]
    text = report.text(system, found)
    for part in (
        "Raspberry Pi Zero 2 W Rev 1.0, Linux ",
        "OK   clock: right\nFAIL tls: no -> mend it\n",
        "GEMINI_API_KEY  credential  ********\n",
        "SPEAKERD_VOICE  file  Kore\n",
        "SPEAKERD_BUTTON_PIN  file  cannot be used\n",
        "GOOGLE_GEMINI_BASE_URL  file  https://elsewhere\n",
        "! SPEAKERD_VOCIE in ",
        '"link": "ready"',
        "google-genai ",
        "Debian GNU/Linux 13 (trixie)",
        " 0 [Device]: USB-Audio",
        "ExecStart=/opt/speakerd/bin/speakerd run",
        "ActiveState=active",
        "turn 1: answered in 1.2 s",
        "plughw:CARD=Device,DEV=0",
        "NTPSynchronized=yes",
    ):
        assert part in text
    assert machine_area.board(system) in text


def test_what_is_not_there_is_told(machine: Healthy) -> None:
    (machine.root / "etc/credstore/gemini-api-key").unlink()
    machine.is_silent("no daemon answers")
    text = report.text(machine.system(), [])
    assert "== status\nno daemon answers\n" in text
    assert "== /etc/asound.conf\n(No such file or directory)\n" in text
    assert "== aplay -L\n(exit status None)\n" in text
    assert "GEMINI_API_KEY  -  not found\n" in text


def test_a_daemon_that_falls_silent(machine: Healthy) -> None:
    assert machine.daemon is not None
    machine.daemon.gone = True
    assert "== status\nthe daemon has said nothing for 5 s\n" in report.text(machine.system(), [])


def test_names_that_say_nothing_stay(machine: Healthy) -> None:
    machine.write("etc/hostname", "raspberrypi\n")
    machine.user = "pi"
    found = [fail("daemon", "raspberrypi", "sudo adduser pi speakerd")]
    assert "raspberrypi -> sudo adduser pi speakerd" in report.text(machine.system(), found)


# --- its file


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    with report.create(path, {}) as file:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        file.write("ä")
    assert path.read_text(encoding="utf-8") == "ä"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("precious")
    with pytest.raises(UnavailableError, match=r"report\.txt is there already: name another file"):
        report.create(path, {})
    assert path.read_text() == "precious"


def test_it_is_not_written_through_a_link(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnavailableError, match="is there already"):
        report.create(path, {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_with_sudo_it_is_for_who_called_that(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    report.create(path, {"SUDO_UID": "64321", "SUDO_GID": "64322"}).close()
    assert (path.stat().st_uid, path.stat().st_gid) == (64321, 64322)
