"""The nouns of the control API, one package each: what it takes and gives (schemas), does (services), and its HTTP."""
