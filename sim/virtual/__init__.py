"""A board in software: the Verilated design with its UART, behind a pseudo-terminal.

:mod:`sim.virtual.build` makes the program out of the design and the C++ files in ``harness``,
:mod:`sim.virtual.board` starts and stops it. To a client the terminal is a serial port like any other.
"""
