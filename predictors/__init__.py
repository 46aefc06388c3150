"""What a network costs or would score. Knows what a network is, nothing of searching."""
