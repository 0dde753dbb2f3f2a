"""A checkout, a folder to install into, and programs that only pretend: install.sh without root.

Every program that would change the machine is a stand-in on PATH that notes its arguments. Python's
stand-in makes environments in which nothing is installed; what is asked of Python itself is
answered by the real one.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
COPIED = (
    *("systemd", "hardware", "pyproject.toml", "requirements.lock", "README.md", "LICENSE"),
    *("CHANGELOG.md", "speakerd/__init__.py", "speakerd/errors.py", "speakerd/config"),
    *("speakerd/commands.py", "speakerd/panel", "speakerd/camera"),
)

_NOTE = 'echo "${0##*/} $*" >>"$STUB_LOG"\n'
_PYTHON = f"""\
case "$*" in
"-m venv "*)
	mkdir -p "$3/bin" "$3/include" "$3/lib"
	ln -s "$0" "$3/bin/python"
	echo "command = x" >"$3/pyvenv.cfg" ;;
*"-m pip "*) [ ! -e "$STUB_STATE/no-network" ] || {{ echo "no network" >&2; exit 1; }} ;;
*"-m compileall "*) ;;
*"/bin/speakerd --version") ;;
*"/bin/speakerd-board "* | *"/bin/speakerd-keypad "* | *"/bin/speakerd-camera "*)
	shift
	PYTHONPATH=$STUB_CHECKOUT exec {shlex.quote(sys.executable)} -sB "$@" ;;
*"/bin/speakerd doctor "*) echo "the doctor has looked" ;;
*) exec {shlex.quote(sys.executable)} "$@" ;;
esac
"""
#: What each does besides noting that it was called.
STUBS = {
    "python3": _PYTHON,
    "id": 'cat "$STUB_STATE/uid" 2>/dev/null || echo 0\n',
    "uname": "echo aarch64\n",
    "dpkg": 'cat "$STUB_STATE/architecture" 2>/dev/null || echo arm64\n',
    "dpkg-query": (
        'for last; do :; done; [ "$last" != speakerd ] || [ -e "$STUB_STATE/packaged" ] || exit 1\n'
        "printf installed\n"
    ),
    "dpkg-shlibdeps": "echo 'shlibs:Depends=libasound2 (>= 1.0.29), libc6 (>= 2.34)'\n",
    "lintian": "",
    "apt-get": "",
    "systemd-sysusers": "",
    "chown": "",
    "udevadm": "",
    "userdel": "",
    "groupdel": "",
    "getent": "",
    "journalctl": "echo 'the reason why'\n",
    # A unit that starts with no version whose env example says BROKEN
    "systemctl": """\
case "$*" in
"is-active "*) [ -e "$STUB_STATE/active" ] ;;
"is-enabled "*) cat "$STUB_STATE/enabled" 2>/dev/null ;;
"restart speakerd")
	rm -f "$STUB_STATE/active"
	! grep -q BROKEN "$DESTDIR/opt/speakerd/share/speakerd/speakerd.env.example" || {
		echo "Job for speakerd.service failed" >&2; exit 1
	}
	touch "$STUB_STATE/active" ;;
esac
""",
}


class Machine:
    """A pristine one, with a running systemd.

    ``root`` is where things are installed, ``checkout`` where from, ``state`` what the stubs heed.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.checkout = folder / "a checkout"
        self.state = folder / "state"
        self._bin = folder / "bin"
        self._log = folder / "log"
        for made in (self.root, self.checkout / "speakerd", self.state, self._bin):
            made.mkdir(parents=True)
        self.systemd_runs(True)
        for name in COPIED:
            if (CHECKOUT / name).is_dir():
                without = shutil.ignore_patterns("__pycache__")
                shutil.copytree(CHECKOUT / name, self.checkout / name, ignore=without)
            else:
                shutil.copy(CHECKOUT / name, self.checkout / name)
        self.change("1")
        for name, does in STUBS.items():
            stub = self._bin / name
            stub.write_text(f"#!/bin/sh\n{_NOTE}{does}", encoding="utf-8")
            stub.chmod(0o755)

    def systemd_runs(self, runs: bool) -> None:
        """Whether there is a service manager."""
        (self.root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        if not runs:
            shutil.rmtree(self.root / "run/systemd")

    def change(self, text: str) -> None:
        """Another version of the program."""
        (self.checkout / "speakerd/program.py").write_text(f"# {text}\n", encoding="utf-8")

    def set(self, name: str, text: str = "") -> None:
        """Make the stubs heed something from now on."""
        (self.state / name).write_text(text, encoding="utf-8")

    def run(
        self, script: str, *, umask: int = 0o022, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``systemd/<script>``, whatever comes of it."""
        self._log.write_text("", encoding="utf-8")
        return subprocess.run(
            ["bash", str(self.checkout / "systemd" / script)],
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
            umask=umask,
            env={
                "PATH": f"{self._bin}:/usr/bin:/bin",
                "DESTDIR": str(self.root),
                "PYTHON": str(self._bin / "python3"),
                "STUB_LOG": str(self._log),
                "STUB_STATE": str(self.state),
                "STUB_CHECKOUT": str(self.checkout),
                **environ,
            },
        )

    def install(self, board: str = "") -> str:
        """Install, for a sound board too; returns what it said. Fails the test where it fails."""
        done = self.run("install.sh", BOARD=board)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def called(self, start: str) -> list[str]:
        """The commands of the last run that begin so."""
        calls = self._log.read_text(encoding="utf-8").splitlines()
        return [call for call in calls if call.startswith(start)]

    def text(self, path: str) -> str:
        """What a file says; "" where there is none."""
        file = self.root / path
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def releases(self) -> list[str]:
        """The versions in /opt."""
        return sorted(path.name for path in (self.root / "opt").glob("speakerd-*"))

    def current(self) -> str:
        """The one that is used."""
        link = self.root / "opt/speakerd"
        return str(link.readlink()) if link.is_symlink() else ""

    def files(self) -> list[str]:
        """Everything that is in the machine's file system, but systemd's own."""
        found = (str(path.relative_to(self.root)) for path in self.root.rglob("*"))
        return sorted(name for name in found if not name.startswith("run"))
