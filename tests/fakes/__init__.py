"""Stand-ins that satisfy the same interfaces as the edges, for tests without devices."""
