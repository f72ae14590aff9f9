"""The serial board: UART, framing, and the bridge to the accelerator's ports."""
