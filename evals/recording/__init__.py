"""Makes a case of a run: what was said, answered and decided, and what came of it."""
