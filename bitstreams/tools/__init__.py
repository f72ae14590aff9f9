"""Programs of others: where they are, which version, how they run, and what is missing."""
