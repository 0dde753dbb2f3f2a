"""Whether the reply was heard in full, and what was said delivered in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speakerd.demo.soundcard import DAC_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping

_SAMPLE_BYTES = 2
#: A reply may begin and end with a moment of silence, which cannot be told from none.
_SILENCE_S = 1.0


def reply_problem(ledger: Mapping[str, Any], heard: bytes, expected: bytes | None) -> str | None:
    """Why the reply was not heard in full, or None if it was.

    ``heard`` is what the loudspeaker gave, ``expected`` what was sent, to the sample (both S16_LE
    mono at 24 kHz), or None where only its length is known, from the ``ledger``.
    """
    if (problem := turn_problem(ledger)) is not None:
        return problem
    if expected is None:
        missing_s = ledger["reply_s"] - len(trimmed(heard)) / _SAMPLE_BYTES / DAC_RATE_HZ
        return f"{missing_s:.1f} s of the reply were not heard" if missing_s > _SILENCE_S else None
    if not expected:
        return "the simulator sent no reply"
    if expected.strip(b"\0") not in heard:
        return f"{len(expected)} bytes were sent, but they were not heard as they are"
    return None


def turn_problem(ledger: Mapping[str, Any]) -> str | None:
    """What the daemon itself has to say against the turn of ``ledger``, or None."""
    if ledger["outcome"] != "answered":
        return f"the turn ended as {ledger['outcome']!r}"
    if ledger["underruns"]:
        return f"the playback ran dry {ledger['underruns']} times: the machine is too busy"
    return None


def exit_problem(exit_code: int | None) -> str | None:
    """What is wrong with the way the daemon ended, or None."""
    return None if exit_code == 0 else f"the daemon ended with exit code {exit_code}"


def utterance_problem(delivered: bytes, spoken: bytes) -> str | None:
    """Why what was ``spoken`` was not ``delivered`` in full, or None if it was."""
    if spoken.strip(b"\0") in delivered:
        return None
    return "what was said did not arrive as it was"


def trimmed(pcm: bytes) -> bytes:
    """``pcm`` without the silence around it, in whole samples."""
    start = len(pcm) - len(pcm.lstrip(b"\0"))
    end = len(pcm.rstrip(b"\0"))
    return pcm[start - start % _SAMPLE_BYTES : end + end % _SAMPLE_BYTES]
