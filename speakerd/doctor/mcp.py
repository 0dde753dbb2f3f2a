"""The MCP servers: each is asked for its tools, as the daemon would ask it. None is called."""

from __future__ import annotations

import asyncio
import dataclasses
import fnmatch
import re
from typing import TYPE_CHECKING

from speakerd.config.dropins import MCP
from speakerd.config.mcp import credentials
from speakerd.doctor.account import UNIT, who_runs
from speakerd.doctor.findings import ok, warn
from speakerd.service.threads import DaemonThreads
from speakerd.tools.mcp.trial import offers_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from speakerd.config import mcp
    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import System
    from speakerd.tools.mcp.offers import Offer

_AREA = "mcp"
_RESTART = f"sudo systemctl restart {UNIT}"
#: What a unit hands over, by name; of ImportCredential= by a pattern (systemd.exec(5)).
_GIVEN = re.compile(
    r"^(?:LoadCredential|SetCredential|ImportCredential)(?:Encrypted)?\s*=\s*([^:\s]+)",
    re.MULTILINE,
)
_FOLDER = "/etc/systemd/system/speakerd.service.d"


def check(system: System) -> Iterator[Finding]:
    """Nothing where no server is configured."""
    file = system.loaded.settings.mcp_servers if system.loaded is not None else None
    if file is None:
        return
    service = who_runs(system).service
    dropin = system.root / MCP.path
    commands = any(server.command for server in file.servers)
    if commands and service and not (dropin.is_symlink() or dropin.exists()):
        what = (
            f"servers that are commands have little memory, and none in Node.js runs: /{MCP.path}"
        )
        yield warn(_AREA, f"{what} is missing", f"{MCP.by_hand} && {_RESTART}")
    yield from _not_handed_over(system, file.servers)
    servers = [_as_the_service(system, server) for server in file.servers]
    for server, answer in zip(servers, ask(servers, system.environ), strict=True):
        if isinstance(answer, str):
            where = f"see {file.path}, and docs/mcp.md"
            yield warn(_AREA, f"{server.name} does not work: {answer}", where)
        elif not answer:
            remedy = f'look at "allow" and "deny" in {file.path}, and at what it says it has'
            yield warn(_AREA, f"{server.name} has no tools for the model", remedy)
        else:
            names = ", ".join(offer.tool for offer in answer[:3])
            more = ", ..." if len(answer) > 3 else ""
            count = f"{len(answer)} tool{'s' if len(answer) > 1 else ''}"
            yield ok(_AREA, f"{server.name} offers {count}: {names}{more}")


CHECKS = (check,)


def _not_handed_over(system: System, servers: Sequence[mcp.Server]) -> Iterator[Finding]:
    """The credentials that are found where they are stored, and the service does not get."""
    given = _GIVEN.findall(system.run(("systemctl", "cat", UNIT)).output)
    for server in servers if given else ():  # without any it is no unit of ours
        for name in credentials(server):
            if not any(fnmatch.fnmatchcase(name, each) for each in given):
                line = f"printf '[Service]\\nLoadCredential={name}\\n'"
                written = f"{line} | sudo tee {_FOLDER}/{name}.conf"
                done = f"sudo install -d {_FOLDER} && {written}"
                what = f"{server.name}: the unit does not hand over the credential {name!r}"
                yield warn(_AREA, what, f"{done} && sudo systemctl daemon-reload && {_RESTART}")


def _as_the_service(system: System, server: mcp.Server) -> mcp.Server:
    """With a command that runs as the service's user, and not as root."""
    account = who_runs(system)
    if not (server.command and system.privileged and account.service):
        return server
    command = ("runuser", "-u", account.name, "--", *server.command)
    return dataclasses.replace(server, command=command)


def ask(servers: Sequence[mcp.Server], environ: Mapping[str, str]) -> list[tuple[Offer, ...] | str]:
    """What each offers, or why it does not answer."""

    async def all_of_them() -> list[tuple[Offer, ...] | str]:
        asyncio.get_running_loop().set_default_executor(DaemonThreads())
        return await asyncio.gather(*(offers_of(server, environ) for server in servers))

    return asyncio.run(all_of_them())
