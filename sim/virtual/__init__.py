"""A board in software: the Verilated design with its UART behind a pseudo-terminal, or in its wrapper for PCI
Express behind sockets, and the memories that it reads.

:mod:`sim.virtual.build` makes the program out of the design and the C++ files in ``harness``,
:mod:`sim.virtual.board` starts and stops it, :mod:`sim.virtual.memory` says what its memories are like. To a
client the terminal is a serial port like any other, and the sockets are the devices of a card.
"""
