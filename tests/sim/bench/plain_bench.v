// A bench without cocotb, in the Verilog of 2001: any simulator can run it. It runs the images of
// images.hex through the accelerator and compares every beat with results.hex.
//
// Parameters: IMAGES, BEATS of an image, RESULTS of the run; PATIENCE in clocks.
`timescale 1ns / 1ns

module plain_bench;
  parameter IMAGES = 1;
  parameter BEATS = 1;
  parameter RESULTS = 1;
  parameter PATIENCE = 1000;

  reg clk = 0;
  reg rst = 0;
  always #5 clk = ~clk;

  reg [31:0] images [0:IMAGES * BEATS - 1];
  reg [31:0] results [0:RESULTS - 1];

  reg [11:0] awaddr = 0, araddr = 0;
  reg [31:0] wdata = 0;
  reg awvalid = 0, wvalid = 0, arvalid = 0;
  wire awready, wready, bvalid, arready, rvalid;
  wire [1:0] bresp, rresp;
  wire [31:0] rdata;
  reg [31:0] tdata = 0;
  reg tvalid = 0, tlast = 0, result_ready = 0;
  wire tready, result_valid, result_last;
  wire [31:0] result;

  spec2 dut (
      .clk(clk), .rst(rst),
      .s_axil_awaddr(awaddr), .s_axil_awprot(3'd0), .s_axil_awvalid(awvalid), .s_axil_awready(awready),
      .s_axil_wdata(wdata), .s_axil_wstrb(4'd15), .s_axil_wvalid(wvalid), .s_axil_wready(wready),
      .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(1'b1),
      .s_axil_araddr(araddr), .s_axil_arprot(3'd0), .s_axil_arvalid(arvalid), .s_axil_arready(arready),
      .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid), .s_axil_rready(1'b1),
      .s_axis_tdata(tdata), .s_axis_tvalid(tvalid), .s_axis_tready(tready), .s_axis_tlast(tlast),
      .m_axis_tdata(result), .m_axis_tvalid(result_valid), .m_axis_tready(result_ready),
      .m_axis_tlast(result_last)
  );

  integer sent = 0, got = 0, wrong = 0, clocks = 0;
  integer aw_done, w_done;

  // Signals change after the falling edge, so that nothing depends on the order of events at the rising one.
  task write(input [11:0] address, input [31:0] value);
    begin
      awaddr = address;
      wdata = value;
      awvalid = 1;
      wvalid = 1;
      while (awvalid || wvalid) begin
        aw_done = awvalid && awready === 1'b1;
        w_done = wvalid && wready === 1'b1;
        @(negedge clk);
        if (aw_done) awvalid = 0;
        if (w_done) wvalid = 0;
      end
      while (bvalid !== 1'b1) @(negedge clk);
      if (bresp !== 2'd0) wrong = wrong + 1;
      @(negedge clk);
    end
  endtask

  task read(input [11:0] address, output [31:0] value);
    begin
      araddr = address;
      arvalid = 1;
      while (arready !== 1'b1) @(negedge clk);
      @(negedge clk);
      arvalid = 0;
      while (rvalid !== 1'b1) @(negedge clk);
      if (rresp !== 2'd0) wrong = wrong + 1;
      value = rdata;
      @(negedge clk);
    end
  endtask

  reg [31:0] id, status, cycles;
  initial begin
    $readmemh("images.hex", images);
    $readmemh("results.hex", results);
    // No reset: as on a board, what a register holds at time 0 is all there is.
    @(negedge clk);
    read(12'h000, id);
    write(12'h010, IMAGES);  // BATCH
    write(12'h008, 1);       // CONTROL.start
    while (sent < IMAGES * BEATS) begin
      tdata = images[sent];
      tlast = sent % BEATS == BEATS - 1;
      tvalid = sent % 7 != 3 || tvalid === 1'b0;  // a gap now and then
      if (tvalid && tready === 1'b1) sent = sent + 1;
      @(negedge clk);
    end
    tvalid = 0;
    while (got < RESULTS) @(negedge clk);
    status = 1;
    while (status[0]) read(12'h00C, status);  // busy
    read(12'h018, cycles);
    $display("id %h status %h cycles %0d results %0d wrong %0d", id, status, cycles, got, wrong);
    $finish;
  end

  always @(negedge clk) begin
    clocks = clocks + 1;
    if (clocks > PATIENCE) begin
      $display("no end after %0d clocks: sent %0d, got %0d", clocks, sent, got);
      $finish;
    end
  end

  // A result beat is taken in every third clock.
  always @(posedge clk) begin
    if (result_valid === 1'b1 && result_ready) begin
      if (result !== results[got] || result_last !== (got == RESULTS - 1)) begin
        wrong = wrong + 1;
        $display("result %0d is %h (last %b), not %h", got, result, result_last, results[got]);
      end
      got = got + 1;
    end else if (result_valid === 1'bx) wrong = wrong + 1;
  end
  always @(negedge clk) result_ready = clocks % 3 == 0;
endmodule
