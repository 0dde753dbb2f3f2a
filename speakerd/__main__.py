"""``python -m speakerd`` and the console script ``speakerd``."""

from __future__ import annotations

import sys

from speakerd.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
