// Watches channels AR and R of AXI4, or of AXI4-Lite with `arlen` 0, `arsize` of the bus, `arburst` 1 and `rlast` 1.
//
// One ID is in use, so that answers come in order. `violation` keeps the first breach until reset; 0 is none:
//   1 a burst that is none: reserved kind, beats wider than the bus, or a length or start that WRAP or FIXED may not have,
//   2 a burst that crosses 4 kB, 3 an answer that nobody asked for, 4 RLAST at the wrong beat, 5 EXOKAY,
//   6 valid in reset, 7 more under way than can be counted.
// `n_due` counts beats that are still to come, `n_transfers` those of both channels.
module hamming_axi_read_monitor #(parameter ADDR_BITS = 32, parameter BYTES = 4) (
  input clk,
  input rst,
  input arvalid,
  input arready,
  input [ADDR_BITS-1:0] araddr,
  input [7:0] arlen,
  input [2:0] arsize,
  input [1:0] arburst,
  input rvalid,
  input rready,
  input [1:0] rresp,
  input rlast
);
  localparam QUEUE = 4096;
  reg [8:0] lengths [0:QUEUE-1];
  reg [31:0] n_due = 0, n_transfers = 0, cycle = 0, violation_cycle = 0;
  reg [2:0] violation = 0;
  reg was_reset = 0;
  reg [2:0] found;
  integer first, free, n_given;
  wire takes = arvalid && arready, gives = rvalid && rready;
  wire is_legal, crosses;

  hamming_axi_burst #(.ADDR_BITS(ADDR_BITS), .BYTES(BYTES)) burst (
    .address(araddr), .length(arlen), .size(arsize), .kind(arburst), .is_legal(is_legal), .crosses(crosses)
  );

  initial begin
    first = 0;
    free = 0;
    n_given = 0;
  end

  always @(posedge clk) begin
    was_reset <= rst;
    if (rst) begin
      n_due <= 0;
      n_transfers <= 0;
      cycle <= 0;
      first = 0;
      free = 0;
      n_given = 0;
      if (!was_reset) violation <= 0;
      else if (arvalid !== 0 || rvalid !== 0) violation <= 6;
      violation_cycle <= 0;
    end else begin
      cycle <= cycle + 1;
      found = 0;
      if (arvalid && !is_legal) found = 1;
      else if (arvalid && crosses) found = 2;
      if (rvalid && n_due == 0) found = 3;
      else if (rvalid && rlast !== (n_given + 1 == lengths[first])) found = 4;
      if (rvalid && rresp == 1) found = 5;
      if (takes && (free + 1) % QUEUE == first) found = 7;
      n_due <= n_due + (takes ? arlen + 1 : 0) - gives;
      n_transfers <= n_transfers + takes + gives;
      if (takes) begin
        lengths[free] = arlen + 1;
        free = (free + 1) % QUEUE;
      end
      if (gives) begin
        n_given = n_given + 1;
        if (n_given == lengths[first]) begin
          n_given = 0;
          first = (first + 1) % QUEUE;
        end
      end
      if (violation == 0 && found != 0) begin
        violation <= found;
        violation_cycle <= cycle;
      end
    end
  end
endmodule
