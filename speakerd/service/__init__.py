"""The systemd edge: journal, sd_notify, state directory, control socket.

The only importer of ``systemd``.
"""
