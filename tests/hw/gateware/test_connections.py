"""The wires of the core: nobody's input is left to its reset value."""

import pytest
from amaranth.hdl import Fragment
from amaranth.lib.wiring import In

from hw.gateware.core import Core
from tests.hw.gateware.programs import program

UNITS = ["memory", "image_port", "fetch", "weights", "issue", "row_weights", "writer", "readout", "output"]
UNITS += ["x_ping_pong", "y_ping_pong", "sequencer", "front", "middle", "back", "head_start"]


@pytest.mark.parametrize(
    ("name", "streamed", "kind"), [("plain", False, "kernel"), ("sets", True, "adaptive")]
)
def test_every_input_of_every_unit_is_driven(name, streamed, kind):
    core = Core(program(name, streamed, kind))
    fragment = Fragment.get(core, None)
    driven = {
        id(signal)
        for statements in fragment.statements.values()
        for statement in statements
        for signal in statement._lhs_signals()
    }
    units = {unit: getattr(core, unit) for unit in UNITS}
    units |= {f"lane {i}": lane for i, lane in enumerate(core.lanes)}
    units |= {f"window {i}": window for i, window in enumerate(core.windows)}
    left = [
        f"{unit}: {'.'.join(map(str, path))}"
        for unit, block in units.items()
        for path, member, value in block.signature.flatten(block)
        if member.flow == In and id(getattr(value, "as_value", lambda value=value: value)()) not in driven
    ]
    # Maps that leave the accelerator bring no scores.
    assert left == ([] if core.program.network.classes is not None else ["writer: scores"])
