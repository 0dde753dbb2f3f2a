"""What may have become of a sentence: by what was heard and told, and by the server's records.

It does not ask speakerd, but for the number and the outcome in the books of the turn, which must
fit what was heard.
"""

from __future__ import annotations

import random
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speakerd.audio import earcons
from speakerd.conversation.effects import Notice
from speakerd.simulator import faults
from speakerd.simulator.audio import NATIVE_RATE_HZ, REPLY_RATE_HZ, resample
from speakerd.simulator.records import Outcome
from tests.soak.plan import SENTENCE_S, Person, TurnPlan, Unplugged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from speakerd.simulator.records import TurnRecord
    from speakerd.simulator.server import Simulator

_NEUTRAL = earcons.render(Notice.NO_REPLY)
_BROKEN_OFF = earcons.render(Notice.ANSWER_CUT)
_WRONG = earcons.render(Notice.NOT_DELIVERED)
_NAMES = {_NEUTRAL: "neutral", _BROKEN_OFF: "broken off", _WRONG: "wrong"}
_MOST_DELIVERIES = 2
LOST_IN_SILENCE = "LOST IN SILENCE"


@dataclass(eq=False)
class Sentence:
    """What one person says at one time, recognizable in every sample."""

    number: int  # over the whole soak
    pcm: bytes = b""
    text: str = ""
    turn: int | None = None  # speakerd's number for it; None: it was not even taken
    deliberate: str = ""  # how the person ended it before it was answered
    cut_short: bool = False  # the microphone was lost in it

    @classmethod
    def spoken(cls, number: int) -> Sentence:
        """A sentence of its own noise."""
        noise = random.Random(number)  # noqa: S311 - repeatable, not secret
        samples = int(NATIVE_RATE_HZ * SENTENCE_S)
        return cls(number, array("h", noise.randbytes(2 * samples)).tobytes())

    @classmethod
    def typed(cls, number: int) -> Sentence:
        """A sentence as a text."""
        return cls(number, text=f"sentence {number}")

    def is_of(self, record: TurnRecord) -> bool:
        """Whether the server heard this, or the beginning of it."""
        if self.text:
            return record.text == self.text
        return bool(record.utterance) and self.pcm.startswith(record.utterance)

    def is_whole_in(self, record: TurnRecord) -> bool:
        """Whether the server took this for an utterance, and has all of it."""
        if record.activity_end_at is None:
            return False
        return record.text == self.text if self.text else record.utterance == self.pcm

    def answer(self, voice: bytes) -> bytes:
        """What the server answers: a parrot, and ``voice`` to a text."""
        return voice if self.text else resample(self.pcm, NATIVE_RATE_HZ, REPLY_RATE_HZ)


@dataclass
class Scene:
    """What one turn of the soak came to."""

    plan: TurnPlan
    sentences: list[Sentence]
    heard: Mapping[int, bytes]  # by speakerd's number of the turn
    clips: list[bytes]
    ledgers: list[dict[str, object]]
    hindered: bool  # there could be no connection for a reason of before
    aftermath: bool  # the turn before had a fault, or this one has


@dataclass
class Oracle:
    """Judges scene after scene; a violation is a line that tells it."""

    simulator: Simulator
    outcomes: Counter[str] = field(default_factory=Counter)
    clips: Counter[str] = field(default_factory=Counter)
    redelivered: int = 0
    lost_in_silence: int = 0
    hindered: int = 0  # turns without a fault that an earlier one has cost their answer
    answered_on: set[int] = field(default_factory=set)  # connections, lately
    _known: int = 0  # the number of the newest record looked at
    _remembered_twice: set[int] = field(default_factory=set)  # sentences, told once
    _sentences: dict[int, int] = field(default_factory=dict)  # by the server's number of the turn

    def judge(self, scene: Scene) -> Iterator[str]:
        """Yield what must not be."""
        self.clips.update(_NAMES.get(clip, "unknown") for clip in scene.clips)
        self.answered_on.clear()
        news = [turn for turn in self.simulator.turns if turn.number > self._known]
        yield from self._server(scene, news)
        for sentence in scene.sentences:
            records = [record for record in news if sentence.is_whole_in(record)]
            yield from self._sentence(scene, sentence, records)
        mine = {sentence.turn for sentence in scene.sentences}
        for number in scene.heard.keys() - mine:
            yield f"sound was heard of turn {number}, which is another one's"
        self._known = max([self._known, *(turn.number for turn in news)])

    # --- what the server heard

    def _server(self, scene: Scene, news: list[TurnRecord]) -> Iterator[str]:
        for record in news:
            mine = [sentence for sentence in scene.sentences if sentence.is_of(record)]
            if mine:
                self._sentences[record.number] = mine[0].number
                yield from self._delivery(mine[0], record)
            elif record.utterance or record.text:
                yield f"the server's turn {record.number} is of no sentence of this turn"
            said = [self._sentences[past] for past in record.context if past in self._sentences]
            for number, times in Counter(said).items():
                if times > 1 and number not in self._remembered_twice:
                    self._remembered_twice.add(number)
                    # A sentence that is asked again may have been answered after all: in the
                    # wake of a turn that never ended its first sounds are taken for that one's.
                    if not scene.aftermath:
                        yield f"the model remembers sentence {number} {times} times"
        oldest = min((turn.number for turn in self.simulator.turns), default=0) - 2000
        for past in [number for number in self._sentences if number < oldest]:
            del self._sentences[past]

    def _delivery(self, sentence: Sentence, record: TurnRecord) -> Iterator[str]:
        ended = record.activity_end_at is not None and record.outcome is not Outcome.LOST
        excused = sentence.cut_short or sentence.deliberate == Person.STOPS.value
        if ended and not sentence.is_whole_in(record) and not excused:
            yield (
                f"sentence {sentence.number} was delivered in part and as if whole: "
                f"{len(record.utterance)} of {len(sentence.pcm)} bytes"
            )

    # --- what became of a sentence

    def _sentence(
        self, scene: Scene, sentence: Sentence, records: list[TurnRecord]
    ) -> Iterator[str]:
        self.redelivered += len(records) > 1
        if len(records) > _MOST_DELIVERIES:
            yield f"sentence {sentence.number} was delivered {len(records)} times"
        ledger = self._ledger(scene, sentence)
        outcome = str(ledger["outcome"]) if ledger is not None else "none"
        self.outcomes[outcome] += 1
        heard = scene.heard.get(sentence.turn or 0, b"")
        answer = sentence.answer(self.simulator._world.voice)
        replies = [bytes(record.reply) for record in records]
        yield from self._ending(scene, sentence, heard, outcome)
        if heard and heard != answer and not answer.startswith(heard):
            size = f"{len(heard)} bytes for {len(answer)}"
            yield f"sentence {sentence.number}: what was heard is no answer to it ({size})"
        if heard and not any(reply.startswith(heard) for reply in replies):
            yield f"sentence {sentence.number}: what was heard was never sent"
        if heard:
            yield from self._context(sentence, records, heard, ledger)

    @staticmethod
    def _ledger(scene: Scene, sentence: Sentence) -> dict[str, object] | None:
        return next((each for each in scene.ledgers if each["turn"] == sentence.turn), None)

    def _context(
        self,
        sentence: Sentence,
        records: list[TurnRecord],
        heard: bytes,
        ledger: dict[str, object] | None,
    ) -> Iterator[str]:
        """Whether resumed or fresh was told truthfully."""
        record = next((each for each in reversed(records) if each.reply.startswith(heard)), None)
        if record is None or ledger is None:
            return
        self.answered_on.add(record.connection)
        for connection in self.simulator.connections:
            if connection.number == record.connection:
                truth = "fresh" if connection.resumed_handle is None else "resumed"
                if ledger["context"] != truth:
                    yield (
                        f"sentence {sentence.number}: the context was {truth}, and "
                        f"{ledger['context']} was told"
                    )

    def _ending(
        self, scene: Scene, sentence: Sentence, heard: bytes, outcome: str
    ) -> Iterator[str]:
        """The promise: it was answered, or the person ended it, or the person was told."""
        answer = sentence.answer(self.simulator._world.voice)
        shapes = {type(fault) for fault in scene.plan.faults()}
        ended_early = faults.PrematureTurnComplete in shapes and outcome == "answered"
        told = set(scene.clips) & {_BROKEN_OFF, _WRONG}
        silent = _NEUTRAL in scene.clips and faults.NoAudio in shapes
        early = faults.PrematureTurnComplete in shapes and _NEUTRAL in scene.clips
        where = f"sentence {sentence.number} ({outcome})"
        if sentence.turn is None:
            yield f"{LOST_IN_SILENCE}: {where} was not even taken"
        elif heard == answer:
            if scene.clips and not scene.aftermath:
                yield f"{where} was answered, and bad news was told"
        elif not (
            told
            or silent
            or early
            or sentence.deliberate
            or (heard and ended_early)
            or heard.startswith(answer)  # and more than that, which is found below
        ):
            self.lost_in_silence += 1
            yield f"{LOST_IN_SILENCE}: {where}, {len(heard)} of {len(answer)} bytes were heard"
        if scene.plan.names == () and heard != answer:
            yield from self._plain(scene, where)
        if outcome == "answered" and heard != answer and not ended_early:
            yield f"{where} was not heard to its end"
        if outcome == "silent" and not (silent or early):
            yield f"{where}: the model did not choose silence"
        if sentence.deliberate == Person.SPEAKS_ON.value and not told:
            yield from self._spoken_on(sentence, where)
        if scene.plan.unplugged is not Unplugged.NOTHING and heard != answer and not told:
            yield f"{where}: nobody was told of the lost device"

    def _plain(self, scene: Scene, where: str) -> Iterator[str]:
        """There was no fault in this turn."""
        if scene.hindered:
            self.hindered += 1
        else:
            yield f"{where} was not answered, and nothing was wrong"

    def _spoken_on(self, sentence: Sentence, where: str) -> Iterator[str]:
        if not any(sentence.is_whole_in(record) for record in self.simulator.turns):
            self.lost_in_silence += 1
            yield f"{LOST_IN_SILENCE}: {where} was spoken on and never delivered"
