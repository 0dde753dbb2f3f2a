"""The ALSA edge: the microphone, the speaker, and what lies between them and the wire.

Sound is S16_LE mono throughout, 16 kHz when captured and 24 kHz when played. Only
:mod:`speakerd.audio.alsa` and :mod:`speakerd.audio.mixer` talk to alsa-lib.
"""
