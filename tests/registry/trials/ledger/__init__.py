"""One effect of every class, one after another."""
