"""A command that sells tokens: what a test has put there, one after the other."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPT = """\
echo >> {asked}
for token in {stock}/*.token; do
    test -e "$token" && cat "$token" && rm "$token" && exit
done
echo "a secret-looking auth_tokens/abcdef" >&2
echo "the shop is closed" >&2
exit 3
"""
#: What the journal says of a shop that has nothing.
CLOSED = "SPEAKERD_TOKEN_COMMAND failed (3): the shop is closed"


class Shop:
    """``command`` prints what is in stock, and fails where there is nothing."""

    def __init__(self, directory: Path) -> None:
        self._stock, self._asked = directory / "stock", directory / "asked"
        self._stock.mkdir()
        script = directory / "shop.sh"
        script.write_text(_SCRIPT.format(stock=self._stock, asked=self._asked))
        self.command = shlex.join(["sh", str(script)])
        self.stock()

    def stock(self, *tokens: str) -> None:
        """From now on there are these."""
        for old in self._stock.iterdir():
            old.unlink(missing_ok=True)
        for number, token in enumerate(tokens):
            new = self._stock / str(number)
            new.write_text(f"{token}\n")
            new.rename(new.with_suffix(".token"))  # whole, or not there: somebody may be asking

    @property
    def asked(self) -> int:
        """How often somebody has come for one."""
        return self._asked.read_text().count("\n") if self._asked.exists() else 0
