"""The GPIO edge: buttons, a knob and the light. The only importer of ``gpiozero``."""
