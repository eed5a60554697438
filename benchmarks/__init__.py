"""What things cost, each beside a floor measured in the same run. Never a timed test."""
