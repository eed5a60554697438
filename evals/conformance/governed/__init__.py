"""The graph that is attacked, as a governed workflow."""
