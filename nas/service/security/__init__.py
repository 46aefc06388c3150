"""Who may ask what, and from where."""
