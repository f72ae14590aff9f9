"""Parameters of the control port under test, shared by the test and the module inside the simulator."""

from hw.contract.config import AcceleratorConfig

CONFIG = AcceleratorConfig(rows=8, lanes=6, batch=5)
LAYERS = 3
DIGEST = bytes(range(7, 39)).hex()
