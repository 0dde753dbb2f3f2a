"""untouched.py SITE_PACKAGES: whether the libraries there are as pip has installed them.

Exits with 0, or with 1 and a line that names the first file that is not. (The hashes are those of
each library's RECORD, which has no bytecode; ``pip check`` does not look at them.)
"""

from __future__ import annotations

import base64
import csv
import hashlib
import sys
from importlib.metadata import distributions
from pathlib import Path


def is_untouched(path: Path, recorded: str) -> bool:
    """``recorded``: "sha256=" and the hash, or nothing where nothing is known."""
    kind, _, wanted = recorded.partition("=")
    if not wanted:
        return True
    try:
        digest = hashlib.new(kind, path.read_bytes()).digest()
    except OSError:
        return False
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == wanted


def main(folder: str) -> int:
    """The exit code."""
    libraries = 0
    for library in distributions(path=[folder]):
        if library.name == "speakerd":
            continue  # it is replaced, whatever became of it
        libraries += 1
        # Not library.files: from Python 3.12 on it passes over what is missing.
        if not (record := library.read_text("RECORD")):
            print(f"{library.name} has no RECORD in {folder}")
            return 1
        for name, recorded, _ in csv.reader(record.splitlines()):
            # Not programs, which lie outside: environment.sh has removed those of the libraries.
            if not name.startswith("../") and not is_untouched(Path(folder, name), recorded):
                print(f"{folder}/{name} is not as it was installed")
                return 1
    if not libraries:
        print(f"there are no libraries in {folder}")
    return 0 if libraries else 1


sys.exit(main(sys.argv[1]))
