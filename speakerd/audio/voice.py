"""The speaker's own voice: failures explained in the person's language, also without a network.

Every sentence is made ahead, by a thread that has time, because when it is needed there is none:
by espeak-ng, or taken from where it was kept. What is not made (yet) has its earcon.
"""

from __future__ import annotations

import array
import threading
from typing import TYPE_CHECKING

from speakerd.audio.clips import finished, read_wav, resampled, scaled, trimmed
from speakerd.audio.espeak import WORDS_PER_MINUTE, Espeak, EspeakError, StoppedError
from speakerd.audio.keeping import Keeping
from speakerd.audio.phrases import Phrase, phrases

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from speakerd.conversation.effects import Notice

#: To be raised when sentences are made into sound in another way: what is kept is made again.
_MAKING = 1
_STOP_TIMEOUT_S = 1.0


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
        espeak: Espeak | None = None,
    ) -> None:
        self._phrases = phrases(language)
        self._volume_percent = volume_percent
        self._keeping = Keeping(cache) if cache is not None else None
        self._cache = cache
        self._tell = tell
        self._espeak = espeak if espeak is not None else Espeak()
        self._told: set[str] = set()
        self._prompts: dict[Notice, bytes] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to make what there is to say, in a thread; once. At volume 0 there is nothing."""
        if self._volume_percent and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="voice", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Make nothing more, within 1 s; the program is not left behind."""
        self._espeak.stop()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def prompt(self, notice: Notice) -> bytes | None:
        """The sentence for ``notice``, S16_LE mono at 24 kHz, some seconds; from any thread.

        None: it has none, or it is not there (yet).
        """
        return self._prompts.get(notice)

    # --- the thread

    def _run(self) -> None:
        try:
            version = self._espeak.version()
            for notice, phrase in self._phrases.items():
                pcm = self._sound_of(phrase, version)
                if pcm is not None:
                    self._prompts[notice] = scaled(pcm, self._volume_percent)
            self._forget_others(version)
        except EspeakError as error:
            self._tell_once(str(error))
        except StoppedError:
            return

    def _sound_of(self, phrase: Phrase, version: str) -> bytes | None:
        key = _key(phrase, version)
        kept = self._keeping.get(key) if self._keeping is not None else None
        self._espeak.check()
        if kept is not None:
            return kept
        try:
            pcm = self._make(phrase)
        except (EspeakError, ValueError) as error:
            self._tell_once(f"a failure is not told in words: {error}")
            return None
        if self._keeping is not None:
            try:
                self._keeping.put(key, pcm)
            except OSError as error:
                self._not_kept(error)
        return pcm

    def _make(self, phrase: Phrase) -> bytes:
        samples, rate_hz = read_wav(self._espeak.speak(phrase.voice, phrase.text))
        sound = array.array("d")
        for block in resampled(trimmed(samples, rate_hz), rate_hz):
            self._espeak.check()
            sound.extend(block)
        return finished(sound)

    def _forget_others(self, version: str) -> None:
        if self._keeping is not None:
            try:
                self._keeping.keep_only({_key(p, version) for p in self._phrases.values()})
            except OSError as error:
                self._not_kept(error)

    def _not_kept(self, error: OSError) -> None:
        why = error.strerror or str(error)
        self._tell_once(f"spoken notices are made anew at each start: {self._cache}: {why}")

    def _tell_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._tell(line)


def _key(phrase: Phrase, version: str) -> str:
    """All that the sound depends on."""
    parts = (_MAKING, version, phrase.voice, WORDS_PER_MINUTE, phrase.text)
    return "\n".join(map(str, parts))
