"""How well workflows behave: cases, worlds, scorers, reports and the gate that promotes or refuses."""
