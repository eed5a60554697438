"""The one way out to tools: policy, approval, ledger, deadline, call, reply validated, audit."""
