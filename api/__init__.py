"""JSON face: the part of the LangGraph API that runs need, and ours for approvals and audit."""
