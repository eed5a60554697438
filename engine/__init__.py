"""What makes runs durable, governed and observable. Knows no workflow, tool or guard by name."""

import os

# LangGraph reads this once, at import: without it a crafted checkpoint row can run code (GHSA-g48c-2wqr-h844).
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
