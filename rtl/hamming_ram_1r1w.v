// A memory with one read and one write port, as an engine with external memories expects it: a behavioural model for
// simulation. For a chip, put a module of the same name and ports in place of this file, made of the macros of your
// process.
//
// Reading. `read_en` has a bit for each cycle of LATENCY. At a rising edge with `read_en[0]` the array is read at
// `read_addr`; at one with `read_en[i]` the register `i` behind it takes what is before it. `read_data` is the last
// one's. What is not enabled holds.
//   - A macro with a read enable whose output holds while the enable is 0: LATENCY 1, `read_en[0]` is the enable.
//   - A macro with an output register and an enable of its own: LATENCY 2, `read_en[1]` is the register's enable.
//   - Further registers, on a long way say, are flip-flops: `read_en[2]` enables the third.
//   - A macro whose output does not hold wants a register and a multiplexer behind it, which show the word read last.
//
// Writing. At a rising edge bits `i * LANE_BITS` to `i * LANE_BITS + LANE_BITS - 1` of the word at `write_addr` are
// written where `write_en[i]` is 1.
//   - A macro with a write enable a byte: {LANE_BITS/8{write_en[i]}} for lane `i`, where LANE_BITS is a multiple of 8.
//   - A macro with a write enable a bit: {LANE_BITS{write_en[i]}} for lane `i`.
//   - A macro with a single write enable: one macro, or several, a lane. They share `read_addr` and `read_en`.
//   - A macro with a chip select and a write enable on its write port: |write_en is the select.
//   - Enables that are active low: invert them. `read_en` and `write_en` are plain logic, 0 in reset but for reads.
//
// What does not matter. Whatever the array holds when it is switched on: every word is written before an answer depends
// on it. Whatever is read of a word that is written in the same cycle: no answer depends on it. Whatever is read at an
// address of DEPTH or above, if a macro has fewer words than addresses: none is used.
module hamming_ram_1r1w #(
  parameter DEPTH = 2,      // words
  parameter ADDR_BITS = 1,  // bits of an address
  parameter WIDTH = 1,      // bits of a word
  parameter LANE_BITS = 1,  // bits of a word that share a write enable
  parameter LATENCY = 1     // cycles from an address to its word
) (
  input clk,
  input [ADDR_BITS-1:0] read_addr,
  input [LATENCY-1:0] read_en,
  output [WIDTH-1:0] read_data,
  input [ADDR_BITS-1:0] write_addr,
  input [WIDTH/LANE_BITS-1:0] write_en,
  input [WIDTH-1:0] write_data
);
  reg [WIDTH-1:0] words [0:DEPTH-1];
  reg [WIDTH-1:0] stages [0:LATENCY-1];
  integer lane, stage;

  assign read_data = stages[LATENCY-1];

  always @(posedge clk) begin
    if (read_en[0]) stages[0] <= words[read_addr];
    for (stage = 1; stage < LATENCY; stage = stage + 1)
      if (read_en[stage]) stages[stage] <= stages[stage-1];
    for (lane = 0; lane < WIDTH / LANE_BITS; lane = lane + 1)
      if (write_en[lane]) words[write_addr][lane*LANE_BITS +: LANE_BITS] <= write_data[lane*LANE_BITS +: LANE_BITS];
  end
endmodule
