"""Checks that explain themselves: what is right, what is not, and the line that mends it.

One small file an area, each a function from the :class:`~speakerd.doctor.system.System` to
:class:`~speakerd.doctor.findings.Finding`. It uses the edges, and only the door uses it.
"""
