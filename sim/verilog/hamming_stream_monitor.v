// Watches one valid/ready stream: the protocol, how often it stalls, and what passes.
//
// `violation` keeps the first breach of the protocol until reset; 0 is none:
//   1 a stalled `valid` fell, 2 a stalled payload changed, 3 `valid`, `ready` or a valid payload is X.
module hamming_stream_monitor #(parameter BITS = 1) (
  input clk,
  input rst,
  input valid,
  input ready,
  input [BITS-1:0] payload
);
  reg [31:0] cycle = 0;            // edges since reset
  reg [31:0] n_transfers = 0;
  reg [31:0] n_stalled = 0;        // cycles of valid & ~ready
  reg [31:0] n_starved = 0;        // cycles of ready & ~valid
  reg [1:0] violation = 0;
  reg [31:0] violation_cycle = 0;
  reg waiting = 0;                 // stalled in the cycle before
  reg [BITS-1:0] held = 0;
  reg [1:0] found;

  always @* begin
    found = 0;
    if (waiting && !valid) found = 1;
    else if (waiting && payload !== held) found = 2;
    if ((valid ^ ready) === 1'bx || (valid && (^payload) === 1'bx)) found = 3;
  end

  always @(posedge clk)
    if (rst) begin
      cycle <= 0;
      n_transfers <= 0;
      n_stalled <= 0;
      n_starved <= 0;
      violation <= 0;
      waiting <= 0;
    end else begin
      cycle <= cycle + 1;
      waiting <= valid && !ready;
      if (valid && !ready) held <= payload;
      if (valid && ready) n_transfers <= n_transfers + 1;
      if (valid && !ready) n_stalled <= n_stalled + 1;
      if (ready && !valid) n_starved <= n_starved + 1;
      if (violation == 0 && found != 0) begin
        violation <= found;
        violation_cycle <= cycle;
      end
    end
endmodule
