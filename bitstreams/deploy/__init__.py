"""A bitstream into a board, and the check that it runs there."""
