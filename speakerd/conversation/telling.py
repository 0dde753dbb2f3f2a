"""What a person hears beside the answers: notices and cues, and what is still owed of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.conversation import effects as fx
from speakerd.conversation.memory import Playing

if TYPE_CHECKING:
    from speakerd.conversation.memory import Clock


class Telling:
    """Notices and cues, as orders to ``out``; and what the speaker is known to be sounding."""

    def __init__(self, clock: Clock, out: list[fx.Effect]) -> None:
        self._clock = clock
        self._out = out
        self.playing = Playing()
        self.drops = 0  # how often the speaker was silenced: what it says of before is stale
        self.speaker_lost = False
        self._owed: list[fx.Notice] = []  # to be told when there is time for it
        self._unheard = False  # an answer was lost with the speaker: told when that is back

    def cue(self, cue: fx.Cue) -> bool:
        """Let a cue be heard, unless that is in vain; whether it is."""
        if self.playing.reply or self.speaker_lost:
            return False
        self.playing.clips.append(False)
        self._out.append(fx.PlayCue(cue))
        return True

    def ring(self, names: tuple[str, ...], *, bell: bool = True) -> bool:
        """Let a phrase of ringing be heard, unless that is in vain; whether it is."""
        if self.speaker_lost:
            return False
        self.playing.clips.append(True)
        self._out.append(fx.Ring(names, bell))
        return True

    def play_again(self, turn: int) -> None:
        """Let the answer of an earlier turn be heard, as a part of the one under way."""
        self.playing.clips.append(True)
        self.playing.again = True
        self._out.append(fx.PlayAgain(turn))

    def owe(self, notice: fx.Notice) -> None:
        """Tell it in the next pause."""
        self._owed.append(notice)

    def tell(self, notice: fx.Notice | None = None) -> None:
        """Tell what is owed, then ``notice``."""
        owed, self._owed = self._owed, []
        for each in dict.fromkeys((*owed, notice)):
            if each is not None:
                self.playing.clips.append(True)
                self._out.append(fx.Tell(each))

    def unheard(self) -> None:
        """An answer was not heard to its end, for the speaker failed; it says so when it can."""
        if self.speaker_lost:
            self._unheard = True
            self._out.append(fx.Tell(fx.Notice.SPEAKER_LOST, aloud=False))
        else:
            self.tell(fx.Notice.SPEAKER_LOST)

    def heard(self) -> None:
        """A whole answer was heard: nobody has to be told of an earlier one."""
        self._unheard = False

    def make_up(self) -> None:
        """There is a pause: let whoever has missed an answer hear why, if there is a speaker."""
        if self._unheard and not self.speaker_lost:
            self._unheard = False
            self.playing.clips.append(True)
            self._out.append(fx.Tell(fx.Notice.SPEAKER_LOST, journal=False))

    def hush(self) -> None:
        """Silence at once."""
        self._out.append(fx.DropPlayback())
        self.drops += 1
        self.playing.silenced(self._clock.now)
