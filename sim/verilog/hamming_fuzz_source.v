// Offers payloads to a stream's input, and minds neither protocol nor reset unless told to.
//
// Chances are of 256 a cycle: to begin an offer, and, while it waits, to withdraw it or to change its payload.
// Each offer leaves a line in `FILE` when it ends: how (0 withdrawn or cut off by a reset, 1 transferred, 2 changed
// where it stood), the cycles of its end and of its beginning, and its payload.
module hamming_fuzz_source #(parameter BITS = 1, parameter FILE = "source.log") (
  input clk,
  input rst,
  input [31:0] cycle,
  input [8:0] offers,
  input [8:0] withdraws,
  input [8:0] changes,
  input [31:0] dice,
  input [BITS-1:0] fresh,
  input ready,
  output reg valid,
  output reg [BITS-1:0] payload
);
  reg [31:0] since;
  reg was_waiting;  // in the cycle before, on offer, not taken, and not given up
  reg was_withdrawn;
  wire [8:0] first_die = {1'b0, dice[7:0]}, second_die = {1'b0, dice[15:8]};
  wire taken = valid && ready === 1'b1 && !rst;
  wire gives_up = first_die < withdraws;
  wire changes_now = second_die < changes;
  integer file;

  initial begin
    file = $fopen(FILE, "w");
    valid = 0;
    payload = 0;
    since = 0;
    was_waiting = 0;
    was_withdrawn = 0;
  end

  always @(posedge clk) begin
    was_waiting <= 0;
    if (rst && was_waiting) $fwrite(file, "0 %h %h %h\n", cycle - 32'd1, since, payload);
    if (taken) $fwrite(file, "1 %h %h %h\n", cycle, since, payload);
    if (rst) since <= cycle + 1;
    if (valid && !taken) begin
      if (gives_up) begin
        if (!rst) $fwrite(file, "0 %h %h %h\n", cycle, since, payload);
        valid <= 0;
        payload <= ~payload;
        was_withdrawn <= 1;
      end else if (changes_now) begin
        if (!rst) $fwrite(file, "2 %h %h %h\n", cycle, since, payload);
        payload <= fresh;
        since <= cycle + 1;
      end else was_waiting <= !rst;
    end else if (second_die < offers) begin
      valid <= 1;
      payload <= was_withdrawn && dice[16] ? ~payload : fresh;  // the same again, or another
      was_withdrawn <= 0;
      since <= cycle + 1;
    end else begin
      valid <= 0;
      if (valid) payload <= ~payload;
    end
  end
endmodule
