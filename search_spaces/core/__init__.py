"""The words every space shares: choices, architectures, populations, operator tables. No torch at import."""
