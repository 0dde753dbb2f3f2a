"""The GPIO edge: the button. The only importer of ``gpiozero``."""
