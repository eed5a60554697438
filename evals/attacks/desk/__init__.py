"""An office assistant with mail, files, bills and contacts: the workflow that most attacks are made on."""
