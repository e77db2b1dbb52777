// Whether a burst of AXI4 is one, and whether it crosses 4 kB (AMBA AXI4, A3.4.1).
module hamming_axi_burst #(parameter ADDR_BITS = 32, parameter BYTES = 4) (
  input [ADDR_BITS-1:0] address,
  input [7:0] length,
  input [2:0] size,
  input [1:0] kind,
  output is_legal,
  output crosses
);
  localparam FIXED = 0, INCR = 1, WRAP = 2;
  wire [16:0] bytes = 17'd1 << size;
  wire [16:0] all = (length + 17'd1) << size;
  wire [11:0] in_page = address;
  wire [16:0] aligned = in_page & ~(bytes - 17'd1);
  wire may_wrap = (length == 1 || length == 3 || length == 7 || length == 15) && (in_page & (bytes - 17'd1)) == 0;
  assign is_legal = bytes <= BYTES && (kind == INCR || (kind == FIXED && length < 16) || (kind == WRAP && may_wrap));
  assign crosses = kind == INCR && aligned + all > 4096;
endmodule
