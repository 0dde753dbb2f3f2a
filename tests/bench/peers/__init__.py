"""What others would run on such a speaker: the programs that speakerd is compared with."""
