"""``python -m tests.faults``: makes the table of docs/faults.md anew."""

from __future__ import annotations

from tests.faults.page import PAGE, made_anew

if __name__ == "__main__":
    PAGE.write_text(made_anew(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
