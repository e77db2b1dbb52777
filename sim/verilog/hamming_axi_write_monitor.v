// Watches channels AW, W and B of AXI4, or of AXI4-Lite with `awlen` 0, `awsize` of the bus, `awburst` 1 and `wlast` 1.
//
// One ID is in use. Data may come before their address. `violation` keeps the first breach until reset; 0 is none:
//   1 a burst that is none, 2 a burst that crosses 4 kB, 3 an answer before its address and its last beat,
//   4 WLAST at the wrong beat, 5 EXOKAY, 6 valid in reset, 7 more under way than can be counted.
// `n_due` counts answers that are still to come, `n_transfers` transfers of all channels.
module hamming_axi_write_monitor #(parameter ADDR_BITS = 32, parameter BYTES = 4) (
  input clk,
  input rst,
  input awvalid,
  input awready,
  input [ADDR_BITS-1:0] awaddr,
  input [7:0] awlen,
  input [2:0] awsize,
  input [1:0] awburst,
  input wvalid,
  input wready,
  input wlast,
  input bvalid,
  input bready,
  input [1:0] bresp
);
  localparam QUEUE = 4096;
  reg [8:0] asked [0:QUEUE-1];  // beats of bursts by their addresses, and by their data
  reg [8:0] sent [0:QUEUE-1];
  reg [31:0] n_due = 0, n_transfers = 0, cycle = 0, violation_cycle = 0;
  reg [2:0] violation = 0;
  reg was_reset = 0;
  reg [2:0] found;
  integer n_asked, n_sent, n_answered, n_held, n_beats;
  wire takes = awvalid && awready, moves = wvalid && wready, gives = bvalid && bready;
  wire is_legal, crosses;

  hamming_axi_burst #(.ADDR_BITS(ADDR_BITS), .BYTES(BYTES)) burst (
    .address(awaddr), .length(awlen), .size(awsize), .kind(awburst), .is_legal(is_legal), .crosses(crosses)
  );

  initial begin
    n_asked = 0;
    n_sent = 0;
    n_answered = 0;
    n_held = 0;
    n_beats = 0;
  end

  always @(posedge clk) begin
    was_reset <= rst;
    if (rst) begin
      n_asked = 0;
      n_sent = 0;
      n_answered = 0;
      n_held = 0;
      n_beats = 0;
      n_due <= 0;
      n_transfers <= 0;
      cycle <= 0;
      if (!was_reset) violation <= 0;
      else if (awvalid !== 0 || wvalid !== 0 || bvalid !== 0) violation <= 6;
      violation_cycle <= 0;
    end else begin
      cycle <= cycle + 1;
      found = 0;
      if (awvalid && !is_legal) found = 1;
      else if (awvalid && crosses) found = 2;
      if (bvalid && (n_answered >= n_asked || n_answered >= n_sent)) found = 3;
      if (bvalid && bresp == 1) found = 5;
      if (n_asked - n_answered >= QUEUE || n_sent - n_answered >= QUEUE) found = 7;
      n_transfers <= n_transfers + takes + moves + gives;
      if (takes) begin
        asked[n_asked % QUEUE] = awlen + 1;
        n_asked = n_asked + 1;
      end
      if (moves) begin
        n_beats = n_beats + 1;
        if (wlast) begin
          sent[n_sent % QUEUE] = n_beats;
          n_sent = n_sent + 1;
          n_beats = 0;
        end
      end
      // Of bursts of which address and data are here; and data may not be longer than an address that is.
      if (n_held < n_asked && n_held < n_sent) begin
        if (asked[n_held % QUEUE] != sent[n_held % QUEUE]) found = 4;
        n_held = n_held + 1;
      end else if (n_held < n_asked && n_beats > asked[n_held % QUEUE]) found = 4;
      if (gives) n_answered = n_answered + 1;
      n_due <= n_asked - n_answered;
      if (violation == 0 && found != 0) begin
        violation <= found;
        violation_cycle <= cycle;
      end
    end
  end
endmodule
