"""Pure judgements on text, data and calls. A guard reads nothing but its arguments."""
