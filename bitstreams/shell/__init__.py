"""What stands around the accelerator on a board: clock, reset, serial port, LEDs, and their constraints."""
