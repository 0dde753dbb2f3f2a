"""The machine: disk, memory, power, heat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.doctor import machine as area
from tests.doctor.made_up import SERVICE_UID

if TYPE_CHECKING:
    from tests.doctor.healthy import Healthy

FORGETS = "nothing new outlasts a restart"
COOL = "let air to it, or add a heat sink"


def test_a_machine_that_has_nothing(machine: Healthy) -> None:
    assert machine.found_by(area.check) == [
        "OK machine: Raspberry Pi Zero 2 W Rev 1.0",
        "OK state: /var/lib/speakerd can be written, 5000 MB are free",
        "OK machine: 300 MB of memory are free",
        "OK power: voltage and speed have been right since the machine was started",
    ]


def test_a_machine_of_another_kind_has_fewer_lines(machine: Healthy) -> None:
    for path in ("proc/device-tree/model", "sys/class/thermal/thermal_zone0/temp"):
        (machine.root / path).unlink()
    (machine.root / "proc/meminfo").unlink()
    del machine.run.outputs["vcgencmd get_throttled"]
    del machine.run.outputs["df"]
    assert machine.found_by(area.check) == [
        "OK machine: not a Raspberry Pi",
        "OK state: /var/lib/speakerd can be written",
    ]


@pytest.mark.parametrize("left", ["19000000 900000 800000", "5000000000 900000 3"])
def test_a_full_disk(machine: Healthy, left: str) -> None:
    machine.run.outputs["df"] = f"Avail Inodes IFree\n{left}"
    free_mb = int(left.split(maxsplit=1)[0]) // 1_000_000
    assert machine.faults_by(area.check) == [
        (
            f"WARN state: the disk is full: {free_mb} MB are left for /var/lib/speakerd"
            " -> sudo journalctl --vacuum-size=50M && sudo apt clean"
        )
    ]


@pytest.mark.parametrize("inodes", ["0 0", "- -"])
def test_a_file_system_that_does_not_count_its_files_is_not_full(
    machine: Healthy, inodes: str
) -> None:
    machine.run.outputs["df"] = f"Avail Inodes IFree\n5000000000 {inodes}"
    assert machine.faults_by(area.check) == []


@pytest.mark.parametrize(
    ("mounts", "place"),
    [
        ("/dev/root / ext4 ro,noatime 0 0", "/"),
        ("/dev/root / ext4 rw 0 0\n/dev/mmcblk0p3 /var ext4 ro 0 0", "/var"),
        ("/dev/root / ext4 rw 0 0\n/dev/a /var ext4 rw 0 0\n/dev/b /var ext4 ro 0 0", "/var"),
    ],
)
def test_a_file_system_that_is_read_only(machine: Healthy, mounts: str, place: str) -> None:
    machine.write("proc/mounts", mounts)
    assert machine.faults_by(area.check) == [
        (
            f"WARN state: /var/lib/speakerd is on a file system that cannot be written: {FORGETS}"
            f" -> sudo mount -o remount,rw {place}"
        )
    ]


def test_another_file_system_may_be_read_only(machine: Healthy) -> None:
    machine.write("proc/mounts", "/dev/root / ext4 rw 0 0\n/dev/b /var/lib/speak ext4 ro 0 0")
    assert machine.faults_by(area.check) == []


def test_a_state_directory_of_somebody_else(machine: Healthy) -> None:
    machine.write("etc/passwd", f"speakerd:x:{SERVICE_UID}:990:::\n")
    assert machine.faults_by(area.check) == [
        (
            f"WARN state: user speakerd may not write /var/lib/speakerd: {FORGETS}"
            " -> sudo chown -R speakerd: /var/lib/speakerd"
        )
    ]


def test_a_state_directory_that_is_not_there(machine: Healthy) -> None:
    (machine.root / "var/lib/speakerd").rmdir()
    assert machine.faults_by(area.check) == []  # systemd makes it
    machine.env_file("SPEAKERD_STATE_DIRECTORY=/srv/speaker\n")
    assert machine.faults_by(area.check) == [
        (
            f"WARN state: there is no /srv/speaker: {FORGETS}"
            " -> sudo install -d -m 0700 -o speakerd -g speakerd /srv/speaker"
        )
    ]


def test_a_state_directory_that_may_not_be_looked_at(machine: Healthy) -> None:
    (machine.root / "var/lib/speakerd").rmdir()
    machine.env_file("SPEAKERD_STATE_DIRECTORY=/etc/group/state\n")
    assert machine.faults_by(area.check) == [
        "WARN state: /etc/group/state: Not a directory -> sudo speakerd doctor"
    ]


def test_little_memory(machine: Healthy) -> None:
    machine.write("proc/meminfo", "MemTotal: 440000 kB\nMemAvailable:    31000 kB\n")
    assert machine.faults_by(area.check) == [
        (
            "WARN machine: only 31 MB of memory are free"
            " -> end what else runs here; see: ps aux --sort=-rss | head"
        )
    ]


@pytest.mark.parametrize(
    ("flags", "faults"),
    [
        (
            "0x50005",
            [
                "the voltage is too low, now",
                "the processor is throttled, now",
            ],
        ),
        ("0x10000", ["the voltage is too low at times, since the machine was started"]),
        ("0x20002", ["the processor is slowed down for lack of power, now"]),
        (
            "0x80008",
            ["the processor is slowed down because it is hot, now"],
        ),
    ],
)
def test_what_the_firmware_has_seen(machine: Healthy, flags: str, faults: list[str]) -> None:
    machine.run.outputs["vcgencmd get_throttled"] = f"throttled={flags}"
    found = machine.faults_by(area.check)
    assert [line.split(" -> ")[0] for line in found] == [f"WARN power: {each}" for each in faults]


def test_the_kernel_tells_what_vcgencmd_may_not(machine: Healthy) -> None:
    machine.run.outputs["vcgencmd get_throttled"] = "VCHI initialization failed"
    machine.write("sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n")
    voltage, throttled = machine.faults_by(area.check)
    assert voltage == (
        "WARN power: the voltage is too low at times, since the machine was started"
        " -> use the power supply made for this board, and a short cable"
    )
    assert throttled.startswith("WARN power: the processor is throttled at times")


def test_heat(machine: Healthy) -> None:
    machine.write("sys/class/thermal/thermal_zone0/temp", "82500\n")
    assert machine.faults_by(area.check) == [
        f"WARN machine: the processor has 82 °C and slows down -> {COOL}"
    ]
