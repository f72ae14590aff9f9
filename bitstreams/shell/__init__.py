"""What stands around the accelerator on a board: clock, reset, serial port, lamps, and their constraints."""
