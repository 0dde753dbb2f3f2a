"""untouched.py SITE_PACKAGES: whether the libraries there are as pip has installed them.

Exits with 0, or with 1 and a line that names the first file that is not. (The hashes are those of
each library's RECORD; ``pip check`` does not look at them.)
"""

from __future__ import annotations

import base64
import hashlib
import sys
from importlib.metadata import PackagePath, distributions


def is_untouched(file: PackagePath) -> bool:
    """Of those without a hash, and of programs, which lie outside, nothing is known."""
    if file.hash is None or file.parts[0] == "..":
        return True
    try:
        digest = hashlib.new(file.hash.mode, file.read_binary()).digest()
    except OSError:
        return False
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value


def main(folder: str) -> int:
    """The exit code."""
    for library in distributions(path=[folder]):
        for file in library.files or ():
            # speakerd itself is replaced, whatever became of it
            if library.name != "speakerd" and not is_untouched(file):
                print(f"{folder}/{file} is not as it was installed")
                return 1
    return 0


sys.exit(main(sys.argv[1]))
