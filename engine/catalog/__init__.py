"""The workflows this installation offers: loaded from langgraph.json, checked, digested into a version."""
