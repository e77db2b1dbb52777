// A memory of requests and responses (`memory = "request"`), as slow and as uneven as a DRAM behind a network may be.
//
// A response comes `latency_least` cycles after its request, and longer by an exponentially distributed time of mean
// `latency_more`, in all at most `latency_most`, but never before the one of the request before it: one a cycle, in
// order. In each `refresh_every` cycles (0: never) there are `refresh` in which no time passes inside. With a chance of
// `pauses` of 256, in bursts, neither requests nor writes are taken. All that is set from outside, at any time.
//
// A word is that of the response's cycle. What was written since the request was taken reads as anything, the parts
// beside it as they are; a write is seen by every request of a later cycle. Words begin with anything.
//
// With chances of `wrongs` and `strays` of 256 a response has its error bit set, and one comes for which there is no
// request; `n_wrongs` and `n_strays` count those that were taken. `is_slow` is 1 where something other than the next cycle
// answers what is asked for, or may have to wait.
module hamming_request_memory #(
  parameter DEPTH = 2,
  parameter WIDTH = 1,
  parameter PART_BITS = 1,
  parameter ADDR_BITS = 1,
  parameter PART_ADDR_BITS = 1,
  parameter QUEUE = 4096
) (
  input clk,
  input rst,
  input [15:0] latency_least,
  input [15:0] latency_more,
  input [15:0] latency_most,
  input [15:0] refresh_every,
  input [15:0] refresh,
  input [8:0] pauses,
  input [8:0] wrongs,
  input [8:0] strays,
  input request_valid,
  output reg request_ready,
  input [ADDR_BITS-1:0] request_address,
  output reg response_valid,
  input response_ready,
  output reg [WIDTH-1:0] response_data,
  output reg response_error,
  input write_valid,
  output reg write_ready,
  input [PART_ADDR_BITS-1:0] write_address,
  input [PART_BITS-1:0] write_data
);
  localparam LANES = WIDTH / PART_BITS;
  localparam PARTS = (WIDTH + 31) / 32;

  reg [WIDTH-1:0] words [0:DEPTH-1];
  integer written_at [0:DEPTH*LANES-1];
  reg [ADDR_BITS-1:0] asked [0:QUEUE-1];
  integer asked_at [0:QUEUE-1];
  integer due_at [0:QUEUE-1];
  integer first, free, cycle, now, since_refresh, latency, part, lane;
  reg [32*PARTS-1:0] anything;
  reg is_stray;
  reg [31:0] n_wrongs, n_strays;
  wire takes = !rst && response_valid && response_ready === 1'b1;
  wire takes_wrong = takes && response_error && !is_stray;
  wire takes_stray = takes && is_stray;
  wire is_slow = latency_least != 1 || latency_more != 0 || refresh != 0 || pauses != 0 || first != free || !request_ready;

  task draw_anything;
    for (part = 0; part < PARTS; part = part + 1) anything[32*part +: 32] = $urandom;
  endtask

  initial begin
    for (lane = 0; lane < DEPTH * LANES; lane = lane + 1) written_at[lane] = -1;
    for (first = 0; first < DEPTH; first = first + 1) begin
      draw_anything;
      words[first] = anything[WIDTH-1:0];
    end
    {cycle, now, since_refresh, first, free, n_wrongs, n_strays} = 0;
    {request_ready, response_valid, write_ready, is_stray} = 0;
  end

  always @(posedge clk) begin
    cycle = cycle + 1;
    if (rst) begin
      first = 0;
      free = 0;
      is_stray <= 0;
      n_wrongs <= 0;
      n_strays <= 0;
      since_refresh = 0;
      response_valid <= 0;
      request_ready <= 0;
      write_ready <= 0;
    end else begin
      since_refresh = since_refresh + 1 >= refresh_every ? 0 : since_refresh + 1;
      if (since_refresh >= refresh) now = now + 1;
      if (request_valid && request_ready) begin
        latency = latency_least;
        if (latency_more != 0)
          latency = latency + $rtoi(-$ln((1.0 + $urandom % 65536) / 65536.0) * latency_more);
        if (latency > latency_most && latency_most != 0) latency = latency_most;
        asked[free] = request_address;
        asked_at[free] = cycle;
        due_at[free] = now + latency - 1;
        free = (free + 1) % QUEUE;
      end
      if (write_valid && write_ready && write_address < DEPTH * LANES) begin
        words[write_address / LANES][write_address % LANES * PART_BITS +: PART_BITS] = write_data;
        written_at[write_address] = cycle;
      end
      n_wrongs <= n_wrongs + takes_wrong;
      n_strays <= n_strays + takes_stray;
      if (!response_valid || response_ready) begin
        draw_anything;
        response_valid <= 0;
        response_data <= anything[WIDTH-1:0];
        response_error <= $urandom % 2;
        is_stray <= 0;
        if (first != free) begin
          if (due_at[first] <= now && (since_refresh >= refresh || refresh == 0)) begin
            response_valid <= 1;
            response_error <= $urandom % 256 < wrongs;
            for (lane = 0; lane < LANES; lane = lane + 1)
              if (asked[first] < DEPTH && written_at[asked[first] * LANES + lane] < asked_at[first])
                anything[lane*PART_BITS +: PART_BITS] = words[asked[first]][lane*PART_BITS +: PART_BITS];
            response_data <= anything[WIDTH-1:0];
            first = (first + 1) % QUEUE;
          end
        end else if (!(request_valid && request_ready) && $urandom % 256 < strays) begin
          is_stray <= 1;
          response_valid <= 1;
        end
      end
      request_ready <= $urandom % 256 >= pauses && free - first != QUEUE - 1 && first - free != 1;
      write_ready <= $urandom % 256 >= pauses;
    end
  end
endmodule
