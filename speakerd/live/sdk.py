"""Loading google-genai: the slowest thing there is, so it happens once, aside, after READY."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading

from speakerd.live import messages


async def load() -> None:
    """Import and prepare google-genai in a thread of its own: on a small Pi that takes seconds.

    A daemon thread, because nothing may keep the daemon from ending meanwhile. Raises whatever
    the import raises: an installation that lacks it is broken.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def finish(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def work() -> None:
        failure: BaseException | None = None
        try:
            importlib.import_module("google.genai.live")
            messages.prepare()
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any longer
            loop.call_soon_threadsafe(finish, failure)

    threading.Thread(target=work, name="load google-genai", daemon=True).start()
    await done
