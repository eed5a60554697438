"""Items that callers keep beside their threads: LangGraph's store, one tenant's apart from another's."""
