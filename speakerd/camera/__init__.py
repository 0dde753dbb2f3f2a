"""The camera: a command of the person's own that writes one JPEG, run while somebody speaks.

Nothing else in speakerd knows how a picture is taken.
"""
