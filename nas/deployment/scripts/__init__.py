"""Programs that an export carries as they are: they import nothing of this package."""
