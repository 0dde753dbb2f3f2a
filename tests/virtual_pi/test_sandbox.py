"""What the service may do, tried from inside its sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.virtual_pi.pi import Pi

#: `systemd-analyze security`: 0 is safe, 10 is not; the unit says what is missing, and why.
EXPOSURE = 1.5

PROBE = "/opt/speakerd/bin/python -I /run/probe.py"
#: The shipped unit, with the probe in place of the daemon.
COPY = rf"""
sed -E -e 's|^ExecStart=.*|ExecStart={PROBE}|' -e 's/^Type=.*/Type=oneshot/' \
  -e '/^(ExecReload|Watchdog|Restart|NotifyAccess)/d' \
  -e 's|^\[Service]|&\nStandardOutput=truncate:/run/probe.json|' \
  "$(systemctl show speakerd -P FragmentPath)" >/run/systemd/system/probe.service
systemctl daemon-reload
"""


@pytest.fixture
async def told(pi: Pi) -> dict[str, Any]:
    """What the probe could do."""
    await pi.root.put(Path(__file__).with_name("probe.py").read_bytes(), "/run/probe.py")
    await pi.root.run(COPY)
    # both have the same runtime directory
    await pi.root.run("systemctl stop speakerd && systemctl start probe")
    return dict(json.loads(await pi.root.get("/run/probe.json")))


async def test_the_exposure_is_small(pi: Pi) -> None:
    text = await pi.root.run("systemd-analyze security --no-pager speakerd", timeout_s=120)
    assert float(text.splitlines()[-1].split(":")[1].split()[0]) <= EXPOSURE, text


async def test_it_opens_its_devices_and_nothing_else(pi: Pi, told: dict[str, Any]) -> None:
    sound = (await pi.root.run("find /dev/snd -type c")).split()
    harmless = {
        f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx")
    }

    assert {*sound, "/dev/gpiochip0"} <= set(told["devices"])
    assert set(told["devices"]) - harmless - {"/dev/pts/ptmx"} == {*sound, "/dev/gpiochip0"}


async def test_it_sees_and_writes_its_own(told: dict[str, Any]) -> None:
    assert told["user"] != 0
    assert told["readable"] == []
    assert told["writable"] == [
        "/var/lib/speakerd",
        "/run/speakerd",
        "/tmp",
        "/var/tmp",
        "/dev/shm",
    ]
    assert len(told["processes"]) == 1
    assert told["sockets"] == ["AF_UNIX", "AF_INET", "AF_INET6"]
    assert told["allowed"] == []


async def test_without_the_sandbox_the_same_user_could_do_more(
    pi: Pi, told: dict[str, Any]
) -> None:
    """The probe does find what there is to find."""
    await pi.root.run("ls -d " + " ".join(told["secrets"]))
    free = json.loads(await pi.root.run(f"runuser -u speakerd -- {PROBE}"))

    assert set(free["devices"]) > set(told["devices"])
    assert free["readable"]
    assert len(free["processes"]) > 1
    assert "AF_NETLINK" in free["sockets"]
    assert {"unshare", "writable code", "suid"} <= set(free["allowed"])
