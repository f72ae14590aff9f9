// One image through the accelerator {{name}}, every beat of its results compared with the integer model's.
//
// {{name}}_tb runs it alone. {{name}}_tb_run has no clock of its own: a design may have several, of several
// accelerators, side by side. Run it where the files of memories and {{name}}_tb_*.hex lie. Verilog of 2005.

module {{name}}_tb_run #(
    parameter PATIENCE = {{patience}}  // clocks after which there is no answer any more
) (
    input clk,
    output reg done,   // the run has ended, or the patience has
    output reg failed  // something was wrong; what it was has been said
);
  localparam IMAGE = {{image_beats}};  // beats
  localparam RESULT = {{result_beats}};
  localparam ROW = {{row_beats}};  // of results; what follows the last pixel of a row means nothing
  localparam [{{high}}:0] LAST = {{last}};
  localparam STEPS = {{steps}};
  localparam STARTED = {{started}};

  reg [{{high}}:0] image[0:IMAGE-1];
  reg [{{high}}:0] result[0:RESULT-1];
  initial begin
    $readmemh("{{name}}_tb_image.hex", image);
    $readmemh("{{name}}_tb_result.hex", result);
    done = 0;
    failed = 0;
  end

  // What the host does: {write or read, again until it is right, address, value, mask}.
  function [77:0] action(input [7:0] step);
    case (step)
{{actions}}
      default: action = 78'd0;
    endcase
  endfunction

  reg aresetn = 0;
  reg [31:0] clocks = 0;
  always @(posedge clk) begin
    clocks <= clocks + 1;
    aresetn <= clocks >= 15;
  end

  // The control port: a step after the other, each answered before the next.
  reg [7:0] step = 0;
  reg waiting = 0, awvalid = 0, wvalid = 0, arvalid = 0, refused = 0, other = 0;
  wire write, again;
  wire [11:0] address;
  wire [31:0] value, mask, rdata;
  wire awready, wready, bvalid, arready, rvalid;
  wire [1:0] bresp, rresp;
  assign {write, again, address, value, mask} = action(step);
  always @(posedge clk) begin
    if (aresetn && step < STEPS) begin
      if (!waiting) begin
        waiting <= 1;
        awvalid <= write;
        wvalid <= write;
        arvalid <= !write;
      end else begin
        if (awready) awvalid <= 0;
        if (wready) wvalid <= 0;
        if (arready) arvalid <= 0;
        if (bvalid || rvalid) begin
          waiting <= 0;
          if ((bvalid && bresp !== 2'd0) || (rvalid && rresp !== 2'd0)) begin
            refused <= 1;
            step <= STEPS;
          end else if (write || (rdata & mask) === value) step <= step + 1;
          else if (!again) begin
            $display("{{name}}: register 0x%h reads 0x%h, not 0x%h", address, rdata & mask, value);
            other <= 1;
            step <= step + 1;
          end
        end
      end
    end
  end

  // The image, with a pause now and then.
  reg [31:0] sent = 0;
  reg tvalid = 0, tlast = 0;
  reg [{{high}}:0] tdata = 0;
  wire tready;
  wire pause = sent % 7 == 6 && tvalid;
  always @(posedge clk) begin
    if (!tvalid || tready) begin
      tvalid <= step > STARTED && sent < IMAGE && !pause;
      if (step > STARTED && sent < IMAGE && !pause) begin
        tdata <= image[sent];
        tlast <= sent == IMAGE - 1;
        sent <= sent + 1;
      end
    end
  end

  // The results, of which a beat is taken in every third clock.
  reg [31:0] got = 0;
  reg [1:0] phase = 0;
  reg wrong = 0;
  wire result_valid, result_last;
  wire [{{high}}:0] result_data;
  wire [{{top_byte}}:0] result_bytes;
  wire result_ready = phase == 0;
  wire [{{high}}:0] counts = got % ROW == ROW - 1 ? LAST : {{all}};
  wire [{{high}}:0] due = result[got < RESULT ? got : 0];
  always @(posedge clk) begin
    phase <= phase == 2 ? 0 : phase + 1;
    if (result_valid && result_ready) begin
      got <= got + 1;
      if (got >= RESULT || (result_data & counts) !== (due & counts) || result_last !== (got == RESULT - 1)
          || &result_bytes !== 1'b1) begin
        $display("{{name}}: result %0d is 0x%h, bytes %b, last %b", got, result_data, result_bytes, result_last);
        wrong <= 1;
      end
    end
  end

  // The interrupt: enabled before the start, cleared at the end.
  wire interrupt;
  reg interrupted = 0, early = 0;
  always @(posedge clk) if (interrupt === 1'b1) begin
    interrupted <= 1;
    if (got < RESULT) early <= 1;
  end

  // The end.
  wire ended = step >= STEPS && got >= RESULT;
  always @(posedge clk) begin
    if (!done && (ended || refused || clocks > PATIENCE)) begin
      done <= 1;
      failed <= !ended || refused || other || wrong || !interrupted || early || interrupt !== 1'b0;
      if (refused) $display("{{name}}: step %0d was refused", step);
      else if (!interrupted || early || interrupt !== 1'b0)
        $display("{{name}}: interrupt came %b, before the results %b, and is %b", interrupted, early, interrupt);
      if (!refused && !ended) $display("{{name}}: no end after %0d clocks, %0d beats sent, %0d got", clocks, sent, got);
    end
  end
{{memories}}
  {{name}}_ip dut (
      .aclk(clk), .aresetn(aresetn),
      .s_axil_awaddr(address), .s_axil_awprot(3'd0), .s_axil_awvalid(awvalid), .s_axil_awready(awready),
      .s_axil_wdata(value), .s_axil_wstrb(4'd15), .s_axil_wvalid(wvalid), .s_axil_wready(wready),
      .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(1'b1),
      .s_axil_araddr(address), .s_axil_arprot(3'd0), .s_axil_arvalid(arvalid), .s_axil_arready(arready),
      .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid), .s_axil_rready(1'b1),
      .s_axis_tdata(tdata), .s_axis_tvalid(tvalid), .s_axis_tready(tready), .s_axis_tlast(tlast),
      .s_axis_tkeep({{ones}}),
      .m_axis_tdata(result_data), .m_axis_tvalid(result_valid), .m_axis_tready(result_ready),
      .m_axis_tlast(result_last), .m_axis_tkeep(result_bytes), .interrupt(interrupt){{pins}}
  );
endmodule

module {{name}}_tb;
  reg clk = 0;
  always #5 clk = ~clk;
  wire done, failed;
  {{name}}_tb_run run (.clk(clk), .done(done), .failed(failed));
  always @(posedge clk) begin
    if (done) begin
      if (failed) $fatal(1, "FAIL {{name}}");
      $display("PASS {{name}}: all results are those of the integer model");
      $finish;
    end
  end
endmodule
