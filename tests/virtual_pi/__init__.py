"""A virtual Raspberry Pi, and the tests that use speakerd on it as a person would."""
