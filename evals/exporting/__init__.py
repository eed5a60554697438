"""Cases in the formats of other houses: as examples of LangSmith, as a task of Inspect. Nothing here runs a case."""
