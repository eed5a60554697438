"""One file for each of OWASP's ten risks of agentic applications: what must fail, and what must still work."""
