"""Whether an installation can work: each thing looked at gives a finding with what to do. Nothing is changed."""
