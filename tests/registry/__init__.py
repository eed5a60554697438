"""A registry of small governed workflows that tests and benchmarks run."""
