"""The ways to a bitstream: each turns a design and a board into a plan, and reads what its tools report."""
