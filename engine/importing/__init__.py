"""Writes typed, narrow tools for chosen operations of OpenAPI documents and MCP servers; people finish them."""
