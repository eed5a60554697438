"""Policies: what is generated from a workflow's POLICY, the engine that evaluates it, and the decision over both."""
