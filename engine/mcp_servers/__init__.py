"""MCP servers whose tools are called: connected by the official library, each tool pinned by what it said it was."""
