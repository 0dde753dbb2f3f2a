"""The core: what a press, a server and a sound card do to one conversation.

Pure: no asyncio, no clock, no I/O, no logging. :class:`~speakerd.conversation.core.Core` takes
events (past-tense facts) and the time, and gives effects (orders). Whoever drives it carries the
effects out and calls again no later than ``next_deadline()``.
"""
