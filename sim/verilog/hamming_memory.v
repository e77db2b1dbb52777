// Behavioural model of the memory that an engine with external memories expects: one read and one write port,
// an enable bit for each of `LANES` parts of a word. Data follow an enabled read by a cycle, and hold.
module hamming_memory #(parameter DEPTH = 2, parameter ADDR_BITS = 1, parameter LANES = 1, parameter LANE_BITS = 1) (
  input clk,
  input [ADDR_BITS-1:0] read_addr,
  input read_en,
  output reg [LANES*LANE_BITS-1:0] read_data,
  input [ADDR_BITS-1:0] write_addr,
  input [LANES-1:0] write_en,
  input [LANES*LANE_BITS-1:0] write_data
);
  reg [LANES*LANE_BITS-1:0] words [0:DEPTH-1];
  integer lane;

  always @(posedge clk) begin
    if (read_en) read_data <= words[read_addr];
    for (lane = 0; lane < LANES; lane = lane + 1)
      if (write_en[lane]) words[write_addr][lane*LANE_BITS +: LANE_BITS] <= write_data[lane*LANE_BITS +: LANE_BITS];
  end
endmodule
