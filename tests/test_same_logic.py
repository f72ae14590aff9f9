"""The comparison of designs up to names sees a difference, and none where only names differ."""

import pytest

from tests.same_logic import cells, numbers

VERILOG = """
module {part}(input clk, input [7:0] {a}, output reg [7:0] q);
  always @(posedge clk) q <= {a} + 8'd{constant};
endmodule
module spec2(input clk, input [7:0] x, input s, output [7:0] y);
  wire [7:0] {u}, w;
  {part} first(.clk(clk), .{a}(x), .q({u}));
  {part} second(.clk(clk), .{a}({u}), .q(w));
  assign y = s ? {chosen};
endmodule
"""


def text(part="adder", a="a", u="u", constant=3, chosen="u : w"):
    return VERILOG.format(part=part, a=a, u=u, constant=constant, chosen=chosen)


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        (text(part="stage", a="i_value", u="between", chosen="between : w"), True),
        (text(constant=4), False),
        (text(chosen="w : u"), False),
    ],
    ids=["names", "a constant", "swapped"],
)
def test_designs_are_compared_up_to_names(tmp_path, other, equal):
    for name, source in (("one.v", text()), ("other.v", other)):
        (tmp_path / name).write_text(source)
    one, two = (numbers(cells(tmp_path / name, "spec2")) for name in ("one.v", "other.v"))
    assert (one == two) is equal
