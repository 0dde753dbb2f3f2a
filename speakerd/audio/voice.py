"""The speaker's own voice: failures explained in the person's language, also without a network.

Every sentence is made ahead, because when it is needed there is no time: spoken by espeak-ng and
made a clip by :mod:`speakerd.audio.clips`, as programs, or taken from where it was kept. A thread
waits for them. What is not made (yet) has its earcon.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from speakerd.audio import clips
from speakerd.audio.espeak import WORDS_PER_MINUTE, Espeak
from speakerd.audio.keeping import Keeping
from speakerd.audio.phrases import Phrase, phrases, voice_of
from speakerd.audio.programs import ProgramError, Programs, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from speakerd.conversation.effects import Notice

#: To be raised when sentences are made into sound in another way: what is kept is made again.
_MAKING = 2
_STOP_TIMEOUT_S = 1.0
#: So many names of timers are kept as sound, of some 100 to 300 kB each.
MOST_NAMES = 8


class Voice:
    """Speaks notices in ``language`` (a BCP-47 code; empty: English) at the earcons' volume.

    It is as it was made: other settings want another one. What has been made is kept in
    ``cache``, for the next start; None: it is not. ``tell`` gets one line, in any thread, for
    each thing that is wrong, once.
    """

    def __init__(
        self,
        language: str,
        volume_percent: int,
        cache: Path | None,
        *,
        tell: Callable[[str], None],
        programs: Programs | None = None,
        espeak: str = "espeak-ng",
    ) -> None:
        self._phrases = phrases(language)
        self._volume_percent = volume_percent
        self._keeping = Keeping(cache) if cache is not None else None
        self._cache = cache
        self._tell = tell
        self._programs = programs if programs is not None else Programs()
        self._espeak = Espeak(self._programs, espeak)
        self._told: set[str] = set()
        self._prompts: dict[Notice, bytes] = {}
        self._language = language
        self._names = threading.Lock()  # guards what follows
        self._words: dict[str, bytes | None] = {}  # the newest last; None: it is to be made
        self._working = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to make what there is to say, in a thread; once. At volume 0 there is nothing."""
        if self._volume_percent and self._thread is None:
            self._working = True
            self._begin(self._run)

    def stop(self) -> None:
        """Make nothing more, within 1 s; the program is not left behind."""
        self._programs.stop()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def prompt(self, notice: Notice) -> bytes | None:
        """The sentence for ``notice``, S16_LE mono at 24 kHz, some seconds; from any thread.

        None: it has none, or it is not there (yet).
        """
        return self._prompts.get(notice)

    def word(self, name: str) -> bytes | None:
        """The sound of ``name``, as that of :meth:`prompt`; from any thread.

        None: it is not there yet, and will be made, or it cannot be. The last :data:`MOST_NAMES`
        are kept, in memory only: they are private.
        """
        with self._names:
            pcm = self._words.pop(name, None)
            self._words[name] = pcm
            while len(self._words) > MOST_NAMES:
                del self._words[next(iter(self._words))]
            if pcm is None and self._thread is not None and not self._working:
                self._working = True
                self._begin(self._say_names)
            return pcm

    def _begin(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=work, name="voice", daemon=True)
        self._thread.start()

    # --- the thread

    def _run(self) -> None:
        self._make_all()
        self._say_names()

    def _say_names(self) -> None:
        """Make the names that are wanted, until there is none; those that fail are tried later."""
        failed: set[str] = set()
        while True:
            with self._names:
                missing = (name for name, pcm in self._words.items() if pcm is None)
                name = next((each for each in missing if each not in failed), None)
                if name is None:
                    self._working = False
                    return
            try:
                pcm = self._make(Phrase(voice_of(self._language), name))
            except ProgramError as error:
                self._tell_once(f"the name of a timer is not said: {error}")
                failed.add(name)
            except StoppedError:
                return
            else:
                with self._names:
                    if name in self._words:
                        self._words[name] = pcm

    def _make_all(self) -> None:
        try:
            version = self._espeak.version()
            for notice, phrase in self._phrases.items():
                pcm = self._sound_of(phrase, version)
                if pcm is not None:
                    self._prompts[notice] = pcm
            self._programs.check()  # another voice keeps its sentences there already
            self._forget_others(version)
        except ProgramError as error:
            self._tell_once(str(error))
        except StoppedError:
            return

    def _sound_of(self, phrase: Phrase, version: str) -> bytes | None:
        key = self._key(phrase, version)
        kept = self._keeping.get(key) if self._keeping is not None else None
        self._programs.check()
        if kept is not None:
            return kept
        try:
            pcm = self._make(phrase)
        except ProgramError as error:
            self._tell_once(f"a failure is not told in words: {error}")
            return None
        if self._keeping is not None:
            try:
                self._keeping.put(key, pcm)
            except OSError as error:
                self._not_kept(error)
        return pcm

    def _make(self, phrase: Phrase) -> bytes:
        wav = self._espeak.speak(phrase.voice, phrase.text)
        # -s -P: neither the home nor the working directory is a place to look for modules.
        command = [sys.executable, "-s", "-P", "-m", clips.__name__, str(self._volume_percent)]
        return self._programs.run("its conversion", command, wav)

    def _forget_others(self, version: str) -> None:
        if self._keeping is not None:
            try:
                self._keeping.keep_only({self._key(p, version) for p in self._phrases.values()})
            except OSError as error:
                self._not_kept(error)

    def _not_kept(self, error: OSError) -> None:
        why = error.strerror or str(error)
        self._tell_once(f"spoken notices are made anew at each start: {self._cache}: {why}")

    def _tell_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._tell(line)

    def _key(self, phrase: Phrase, version: str) -> str:
        """All that the sound depends on."""
        rate, volume = WORDS_PER_MINUTE, self._volume_percent
        return "\n".join(map(str, (_MAKING, version, phrase.voice, rate, phrase.text, volume)))
