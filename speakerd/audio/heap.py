"""Memory that was for a long answer is the system's again when it is over.

An answer of ten minutes waits in 15,000 pieces. They are freed as they are heard, and the C
library keeps nearly all of what they took for whoever asks next: 36 MiB (docs/benchmarks.md).
"""

from __future__ import annotations

import ctypes

#: How much sound makes it worth the few milliseconds: 22 s at 24 kHz.
WORTHWHILE_BYTES = 1024 * 1024


def give_back() -> None:
    """Let the C library return what it does not use (malloc_trim(3): glibc; elsewhere nothing)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
