"""The reasoning trace: what each stage of a case was told, what it answered and why it branched, sealed in Postgres."""
