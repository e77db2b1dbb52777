// Behavioural model of the memory that an engine with external memories expects: one read and one write port,
// an enable bit for each of `LANES` parts of a word. `read_en[0]` reads the array, `read_en[i]` lets register `i` behind
// it take the word before it; what is not enabled holds.
module hamming_memory #(
  parameter DEPTH = 2, parameter LATENCY = 1, parameter ADDR_BITS = 1, parameter LANES = 1, parameter LANE_BITS = 1
) (
  input clk,
  input [ADDR_BITS-1:0] read_addr,
  input [LATENCY-1:0] read_en,
  output [LANES*LANE_BITS-1:0] read_data,
  input [ADDR_BITS-1:0] write_addr,
  input [LANES-1:0] write_en,
  input [LANES*LANE_BITS-1:0] write_data
);
  reg [LANES*LANE_BITS-1:0] words [0:DEPTH-1];
  reg [LANES*LANE_BITS-1:0] stages [0:LATENCY-1];
  integer lane, stage;

  assign read_data = stages[LATENCY-1];

  always @(posedge clk) begin
    if (read_en[0]) stages[0] <= words[read_addr];
    for (stage = 1; stage < LATENCY; stage = stage + 1)
      if (read_en[stage]) stages[stage] <= stages[stage-1];
    for (lane = 0; lane < LANES; lane = lane + 1)
      if (write_en[lane]) words[write_addr][lane*LANE_BITS +: LANE_BITS] <= write_data[lane*LANE_BITS +: LANE_BITS];
  end
endmodule
