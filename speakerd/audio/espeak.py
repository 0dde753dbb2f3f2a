"""espeak-ng, the program that speaks offline.

It is told the sentence by its standard input and writes a WAV file to its standard output
(espeak-ng(1)). It is no library here, so that whatever is wrong with it is wrong somewhere else.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from speakerd.audio.programs import ProgramError

if TYPE_CHECKING:
    from speakerd.audio.programs import Programs

#: A little slower than its 175 words a minute: nobody can ask it to say that again.
WORDS_PER_MINUTE = 155

#: What mends it where it is missing: the daemon looks for it at its start.
REMEDY = "sudo apt install espeak-ng && sudo systemctl restart speakerd"
_MISSING = f"espeak-ng is not installed: failures are not told in words; {REMEDY}"


class Espeak:
    """``program``, wherever PATH has it, run by ``programs``: both methods raise what it raises."""

    def __init__(self, programs: Programs, program: str = "espeak-ng") -> None:
        self._programs = programs
        self._program = program

    def version(self) -> str:
        """Which one it is: what it speaks may change with it."""
        return self._run("--version").decode(errors="replace").strip()

    def speak(self, voice: str, text: str) -> bytes:
        """A WAV file of ``text``, spoken by ``voice`` (a BCP-47 code).

        A voice that it does not have is a :class:`ProgramError`, too.
        """
        rate = str(WORDS_PER_MINUTE)
        return self._run("--stdout", "--stdin", "-b", "1", "-s", rate, "-v", voice, text=text)

    def _run(self, *arguments: str, text: str = "") -> bytes:
        program = shutil.which(self._program)
        if program is None:
            raise ProgramError(_MISSING)
        return self._programs.run("espeak-ng", [program, *arguments], text.encode())
