"""A build as a value: its files, what they are made of, and what a run of it is asked for and comes to."""
