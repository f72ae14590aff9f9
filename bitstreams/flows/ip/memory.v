
// External memory: a read burst after the other, of what a file holds, first byte lowest.
module {{name}}_tb_memory #(
    parameter DATA = 64,
    parameter ADDRESS = 40,
    parameter [ADDRESS-1:0] BASE = 0,
    parameter WORDS = 1,
    parameter FILE = ""
) (
    input clk,
    input [3:0] arid,
    input [ADDRESS-1:0] araddr,
    input [7:0] arlen,
    input arvalid,
    output arready,
    output reg [3:0] rid,
    output [DATA-1:0] rdata,
    output [1:0] rresp,
    output rlast,
    output rvalid,
    input rready
);
  localparam BYTES = DATA / 8;
  reg [DATA-1:0] memory[0:WORDS-1];
  integer file, count;
  initial begin
    file = $fopen(FILE, "rb");
    if (file == 0) $fatal(1, "cannot open %s", FILE);
    count = $fread(memory, file);
    $fclose(file);
  end

  reg busy = 0;
  reg [ADDRESS-1:0] word = 0;
  reg [7:0] left = 0;
  wire held = word < WORDS;
  wire [DATA-1:0] big = memory[held ? word : 0];
  assign arready = !busy;
  assign rvalid = busy;
  assign rlast = left == 0;
  assign rresp = held ? 2'b00 : 2'b10;
  always @(posedge clk) begin
    if (!busy && arvalid) begin
      busy <= 1;
      rid <= arid;
      word <= (araddr - BASE) / BYTES;
      left <= arlen;
    end
    if (busy && rready) begin
      word <= word + 1;
      left <= left - 1;
      busy <= left != 0;
    end
  end

  // $fread fills words from the high end.
  genvar i;
  generate
    for (i = 0; i < BYTES; i = i + 1) begin : lanes
      assign rdata[8*i+:8] = big[DATA-8-8*i+:8];
    end
  endgenerate
endmodule
