"""Whether a server that speaks the LangGraph API keeps what was approved: the attacks, and what they found."""
