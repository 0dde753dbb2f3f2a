"""The edge to the hand and the eye: buttons, a knob and the light on GPIO lines, and keypads.

The only importer of ``gpiozero`` and ``evdev``.
"""
