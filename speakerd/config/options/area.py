"""What the areas have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Area(BaseModel):
    """Some options that belong together; the docstring of an area is its heading, and a full stop.

    Nobody makes one of these: they are the bases of Settings, which is built for all of them.
    """

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def heading(cls) -> str:
        """What a person looks for."""
        return (cls.__doc__ or "").removesuffix(".")

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """The names of its fields."""
        return tuple(cls.__annotations__)


def words(allowed: str) -> dict[str, Any]:
    """What is allowed, for a field whose type and bounds do not say it."""
    return {"allowed": allowed}
