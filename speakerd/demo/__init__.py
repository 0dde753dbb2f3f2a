"""What lets speakerd be tried without hardware."""
