// External memory of the bench: answers AXI4 read bursts from a file, in order, with a settable latency, a
// settable gap after every beat, random stalls, and an error where it is told to. Simulated with the design: it is never what the
// simulation waits for.
module axi_memory #(
    parameter DATA = 512,
    parameter ADDRESS = 40,
    parameter ID = 4,
    parameter WORDS = 1,
    parameter FILE = ""
) (
    input clk,
    input rst,
    input [15:0] latency,  // clocks from a burst's address to its first beat
    input [7:0] gap,       // idle clocks after every beat
    input [7:0] stall,     // of 256 clocks, how many neither take an address nor give a beat
    input apart,           // not reset with the design: it goes on to deliver what it was asked for
    input [31:0] bad,      // which beat is answered with an error, counted from 1; 0 for none
    input [31:0] seed,
    input [ADDRESS-1:0] base,  // address of the file's first byte
    input [ID-1:0] arid,
    input [ADDRESS-1:0] araddr,
    input [7:0] arlen,
    input arvalid,
    output arready,
    output reg [ID-1:0] rid,
    output [DATA-1:0] rdata,
    output reg [1:0] rresp,
    output reg rlast,
    output reg rvalid,
    input rready
);
  localparam DEPTH = 16;
  localparam BYTES = DATA / 8;
  localparam SHIFT = $clog2(BYTES);

  reg [DATA-1:0] memory[0:WORDS-1];
  integer file, count;
  initial begin
    file = $fopen(FILE, "rb");
    if (file == 0) $fatal(1, "cannot open %s", FILE);
    count = $fread(memory, file);
    $fclose(file);
  end

  // Bursts on their way: first beat, beats after it, clock in which the first one is due.
  reg [ADDRESS-1:0] first[0:DEPTH-1];
  reg [7:0] more[0:DEPTH-1];
  reg [31:0] due[0:DEPTH-1];
  reg [ID-1:0] id[0:DEPTH-1];
  reg [31:0] given;
  reg [4:0] head, tail;
  reg [31:0] now;
  reg [31:0] noise;
  reg [7:0] done, rest;
  reg [DATA-1:0] word;

  wire [31:0] noise_a = noise ^ (noise << 13);
  wire [31:0] noise_b = noise_a ^ (noise_a >> 17);
  wire empty = head == tail;
  wire full = head[3:0] == tail[3:0] && head[4] != tail[4];
  wire held = rvalid && !rready;
  wire give = !empty && !held && rest == 0 && $signed(now - due[head[3:0]]) >= 0 && noise[7:0] >= stall;
  wire [ADDRESS-1:0] position = first[head[3:0]] + {{ADDRESS - 8{1'b0}}, done};
  assign arready = !full && noise[15:8] >= stall;

  always @(posedge clk) begin
    now <= now + 1;
    noise <= noise_b ^ (noise_b << 5);
    if (arvalid && arready) begin
      first[tail[3:0]] <= (araddr - base) >> SHIFT;
      more[tail[3:0]] <= arlen;
      due[tail[3:0]] <= now + {16'b0, latency};
      id[tail[3:0]] <= arid;
      tail <= tail + 1;
    end
    if (!held) rvalid <= give;
    if (rest != 0) rest <= rest - 1;
    if (give) begin
      word <= position < WORDS ? memory[position] : {DATA{1'b0}};
      rresp <= position < WORDS && given + 1 != bad ? 2'b00 : 2'b10;
      given <= given + 1;
      rid <= id[head[3:0]];
      rlast <= done == more[head[3:0]];
      rest <= gap;
      done <= done + 1;
      if (done == more[head[3:0]]) begin
        done <= 0;
        head <= head + 1;
      end
    end
    if (bad == 0) given <= 0;
    if (rst && !apart) begin
      head <= 0;
      tail <= 0;
      now <= 0;
      done <= 0;
      rest <= 0;
      rvalid <= 0;
      noise <= seed | 1;
    end
  end

  // $fread fills words from the high end; in memory the first byte is the lowest.
  genvar i;
  generate
    for (i = 0; i < BYTES; i = i + 1) assign rdata[8*i+:8] = word[DATA-8-8*i+:8];
  endgenerate
endmodule
