"""What speakerd costs: the real daemon beside two others, from outside. ``python -m tests.bench``.

The light and the earcons are measured by themselves, and so are pieces of work by instructions.

docs/benchmarks.md says how each figure is measured. Nothing here passes or fails: the figures are
for people, and depend on the machine.
"""
