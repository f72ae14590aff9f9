// Both streams of an accelerator without the bench's Python in every clock: it hands frames over, and gets them, in
// pieces of BEATS beats of WIDTH bits. ``epoch`` flips when frames under way are to be forgotten.

// Sends pieces from two slots, by turns: while one is sent the other is filled, and no clock is lost between them.
module frame_source #(
    parameter WIDTH = 32,
    parameter BEATS = 32
) (
    input clk,
    input rst,
    input pause,         // nothing new is offered; what is offered stays
    input epoch,
    input [1:0] given,   // of each slot: flips when it is filled
    output [1:0] taken,  // of each slot: as ``given`` when it is empty
    input [WIDTH*BEATS-1:0] beats_0,
    input [WIDTH*BEATS-1:0] beats_1,
    input [5:0] count_0,
    input [5:0] count_1,
    input [1:0] lasts,   // of each slot: it ends a frame
    output tvalid,
    input tready,
    output [WIDTH-1:0] tdata,
    output tlast
);
  reg [1:0] done;
  reg [4:0] at;
  reg slot, paused, held, seen;
  initial {done, at, slot, paused, held, seen} = 0;
  wire full = given[slot] != done[slot] && !rst && epoch == seen;
  wire [WIDTH*BEATS-1:0] beats = slot ? beats_1 : beats_0;
  wire ends = {1'b0, at} + 6'd1 == (slot ? count_1 : count_0);
  assign taken = done;
  assign tvalid = full && (held || !paused);
  assign tdata = beats[WIDTH*at+:WIDTH];
  assign tlast = ends && lasts[slot];
  always @(posedge clk) begin
    seen <= epoch;
    paused <= pause;
    held <= tvalid && !tready;
    if (rst || epoch != seen) begin
      done <= given;
      slot <= 0;
      at <= 0;
    end else if (tvalid && tready) begin
      at <= ends ? 5'd0 : at + 5'd1;
      if (ends) begin
        done[slot] <= given[slot];
        slot <= !slot;
      end
    end
  end
endmodule

// Takes beats, and gives a piece when it is full or its frame ends.
module frame_sink #(
    parameter WIDTH = 32,
    parameter BEATS = 32
) (
    input clk,
    input rst,
    input pause,
    input epoch,
    output reg given,  // flips with every piece, which stays for the clock at least
    output reg [WIDTH*BEATS-1:0] beats,
    output reg [5:0] count,
    output reg last,
    output reg of,     // the epoch that it was taken in
    input tvalid,
    output tready,
    input [WIDTH-1:0] tdata,
    input tlast
);
  reg [WIDTH*BEATS-1:0] kept, piece;
  reg [4:0] at, place;
  reg ready, seen;
  initial {given, last, of, ready, seen, at, count, kept, beats} = 0;
  assign tready = ready && !rst;
  always @(posedge clk) begin
    seen <= epoch;
    ready <= !pause && !rst;
    place = epoch == seen && !rst ? at : 5'd0;
    at <= place;
    if (tvalid && tready) begin
      piece = kept;
      piece[WIDTH*place+:WIDTH] = tdata;
      kept <= piece;
      at <= place + 5'd1;
      if (tlast || {27'b0, place} == BEATS - 1) begin
        beats <= piece;
        count <= {1'b0, place} + 6'd1;
        last <= tlast;
        of <= epoch;
        given <= !given;
        at <= 0;
      end
    end
  end
endmodule
