"""What a run keeps: its directory, its database, its exports."""
