"""Threads that nothing waits for at the end."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class DaemonThreads(ThreadPoolExecutor):
    """The loop's default executor: a daemon thread for each call, left to the process's end.

    Names are resolved in it and google-genai is imported in it. Without a network the resolver
    takes half a minute, on a small Pi the import takes seconds; nobody can interrupt either, and
    the daemon promises to end within two seconds.
    """

    def submit(self, call: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as the base's
        """Run ``call`` in a daemon thread of its own."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(call(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
                future.set_exception(error)

        if future.set_running_or_notify_cancel():
            threading.Thread(target=run, name="aside", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the threads to the process's end."""
