// The memory of `rtl/hamming_ram_1r1w.v`, as bad as a macro may be. In simulation it stands for an engine's external
// memories, and for the inferred ones (`sim.worst_case`).
//
// Anything (X, or in two-state simulation random bits) is what a read gives
//   * of a word that is written in the same cycle, all of it, whatever parts are written,
//   * of a word that was never written, or of no word (an address of `DEPTH` or more),
// and what all words become by a write to no word.
module hamming_ram_1r1w #(
  parameter DEPTH = 2,
  parameter ADDR_BITS = 1,
  parameter WIDTH = 1,
  parameter LANE_BITS = 1,
  parameter LATENCY = 1
) (
  input clk,
  input [ADDR_BITS-1:0] read_addr,
  input [LATENCY-1:0] read_en,
  output [WIDTH-1:0] read_data,
  input [ADDR_BITS-1:0] write_addr,
  input [WIDTH/LANE_BITS-1:0] write_en,
  input [WIDTH-1:0] write_data
);
  localparam PARTS = (WIDTH + 31) / 32;
  reg [WIDTH-1:0] words [0:DEPTH-1];
  reg [WIDTH-1:0] stages [0:LATENCY-1];
  reg [32*PARTS-1:0] anything;
  integer lane, part, stage, word;

  // What is X counts as the worse.
  wire is_read = read_en[0] !== 1'b0;
  wire is_written = (|write_en) !== 1'b0;
  wire collides = is_written && (read_addr == write_addr) !== 1'b0;
  wire reads_word = read_en[0] === 1'b1 && (read_addr < DEPTH) === 1'b1;
  wire writes_word = (write_addr < DEPTH) === 1'b1;

  assign read_data = stages[LATENCY-1];

  always @(posedge clk) begin
    if ((is_read && (collides || !reads_word)) || (is_written && !writes_word))
      for (part = 0; part < PARTS; part = part + 1)
`ifdef VERILATOR
        anything[32*part +: 32] = $urandom;
`else
        anything[32*part +: 32] = 32'bx;
`endif
    if (is_read) stages[0] <= collides || !reads_word ? anything[WIDTH-1:0] : words[read_addr];
    for (stage = 1; stage < LATENCY; stage = stage + 1)
      if (read_en[stage]) stages[stage] <= stages[stage-1];
    if (is_written) begin
      if (writes_word) begin
        for (lane = 0; lane < WIDTH / LANE_BITS; lane = lane + 1)
          if (write_en[lane])
            words[write_addr][lane*LANE_BITS +: LANE_BITS] <= write_data[lane*LANE_BITS +: LANE_BITS];
      end else
        for (word = 0; word < DEPTH; word = word + 1) words[word] <= anything[WIDTH-1:0];
    end
  end
endmodule
