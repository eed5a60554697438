"""The graph that is attacked, in plain LangGraph."""
