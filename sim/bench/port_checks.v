// What the ports of an accelerator promise, watched in every clock of every simulation. ``broken`` stays up once a
// promise was broken. The bench reads it at the end of a job: it costs nothing in between.

// Of a channel with valid and ready: what is offered stays, as it is, until it is taken.
module handshake_check #(
    parameter WIDTH = 1,
    parameter RESET = 1  // whether a reset takes an offer back
) (
    input clk,
    input rst,
    input valid,
    input ready,
    input [WIDTH-1:0] payload,
    output reg broken
);
  reg offered;
  reg [WIDTH-1:0] kept;
  initial begin
    broken = 0;
    offered = 0;
  end
  always @(posedge clk) begin
    if (RESET && rst) offered <= 0;
    else begin
      if (offered && (!valid || payload != kept)) broken <= 1;
      offered <= valid && !ready;
      kept <= payload;
    end
  end
endmodule

// Of read addresses: bursts of whole beats, aligned, that increment and stay inside a page of 4 KiB.
module burst_check #(
    parameter DATA = 32,
    parameter ADDRESS = 40
) (
    input clk,
    input valid,
    input [ADDRESS-1:0] addr,
    input [7:0] len,
    input [2:0] size,
    input [1:0] burst,
    output reg broken
);
  localparam BYTES = DATA / 8;
  localparam SIZE = $clog2(BYTES);
  wire [31:0] first = {20'b0, addr[11:0]};
  wire [31:0] beyond = first + ({24'b0, len} + 1) * BYTES;
  initial broken = 0;
  always @(posedge clk)
    if (valid && (first % BYTES != 0 || beyond > 4096 || {29'b0, size} != SIZE || burst != 1)) broken <= 1;
endmodule

// Of a stream: whether beats of a frame have passed whose last one has not.
module frame_check (
    input clk,
    input rst,
    input valid,
    input ready,
    input last,
    output reg unfinished
);
  initial unfinished = 0;
  always @(posedge clk)
    if (rst) unfinished <= 0;
    else if (valid && ready) unfinished <= !last;
endmodule
