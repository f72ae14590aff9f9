"""What pixels and words pass through, in the order of the data flow: see the package above."""
