"""A workflow that kills its worker."""
