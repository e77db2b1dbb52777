// Takes a stream's output, with a chance of `takes` of 256 a cycle, but for long pauses that begin with one of `pauses`
// of 65,536.
//
// Each beat leaves a line in `FILE`: how it ended (0 cut off by a reset, 1 transferred, 2 withdrawn or changed while it
// waited, which is wrong), the cycles of its end and of its beginning, and its payload.
module hamming_fuzz_sink #(parameter BITS = 1, parameter FILE = "sink.log") (
  input clk,
  input rst,
  input [31:0] cycle,
  input [8:0] takes,
  input [15:0] pauses,
  input [31:0] dice,
  input valid,
  output reg ready,
  input [BITS-1:0] payload
);
  reg [31:0] since;
  reg [9:0] pause;
  reg waiting;
  reg [BITS-1:0] held;
  wire [31:0] begun = waiting ? since : cycle;
  integer file;

  initial begin
    file = $fopen(FILE, "w");
    ready = 0;
    since = 0;
    pause = 0;
    waiting = 0;
    held = 0;
  end

  always @(posedge clk) begin
    waiting <= 0;
    if (waiting && rst) $fwrite(file, "0 %h %h %h\n", cycle - 32'd1, since, held);
    if (waiting && !rst && (valid !== 1'b1 || payload !== held)) $fwrite(file, "2 %h %h %h\n", cycle, since, held);
    if (!rst && valid !== 1'b0) begin
      if (ready) $fwrite(file, "1 %h %h %h\n", cycle, begun, payload);
      else begin
        waiting <= 1;
        since <= begun;
        held <= payload;
      end
    end
    if (pause != 0) pause <= pause - 1;
    else if (dice[31:16] < pauses) pause <= dice[9:0];
    ready <= pause == 0 && {1'b0, dice[7:0]} < takes;
  end
endmodule
