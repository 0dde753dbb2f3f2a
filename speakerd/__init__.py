"""A push-to-talk smart speaker for Google's Gemini Live API, as a systemd daemon."""

__version__ = "0.1.0"
