"""The harness of a fuzzed engine: Verilog that drives every port with anything, and writes down what passes.

Python looks at the log alone (`sim.fuzz.log`), since a simulator that waits for Python in each cycle is many times
slower.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hamming.rtl.memory_wrapper import wrapper_name, wrapper_ports
from hamming.sim.fuzz.choices import choices
from hamming.sim.harness import MEMORY_CONTROLS, instance, monitor, request_memory
from hamming.sim.payloads import Stream, read_streams

__all__ = ["EVENTS", "fuzz_harness"]

#: Log of what is no stream: 1 reset begins, 2 reset ends, 3 `error` has another value, 4 something moves in reset, 5 a
#: memory of requests begins or ends to be slow, 6 it gave a wrong response, or one too many (of the first memory 0 and
#: 1, of the second 2 and 3), 7 a stream of a memory broke the protocol.
EVENTS = "events.log"


def fuzz_harness(manifest: Mapping[str, Any], top: str) -> str:
    """Return the harness, Verilog-2005, of an engine with this manifest.

    Its ports are `clk` and `done`; `+cycles=N` and `+seed=N` say how long it runs, and with what.
    """
    all_streams = read_streams(manifest["streams"])
    memories = manifest.get("memory_streams", {})
    streams = own_streams(manifest)
    ports = wrapper_ports(manifest)
    module = wrapper_name(manifest) if manifest["memory_ports"] else manifest["name"]
    noise_bits = 32 * -(-(max(stream.bits for stream in streams.values()) + 8 * manifest["spec"]["d_head"] + 208) // 32)
    n_dice = len(streams) + 1
    latency = manifest["cycles"]["latency"]["cycles"]
    length = max(256, 4 * latency, min(4096, 2 * manifest["spec"]["n_keys"] * manifest["dimensions"]["fold"]))
    lines = [
        f"module {top} (input clk /* verilator public_flat_rw */, output reg done /* verilator public_flat_rd */);",
        *(f"  wire [{port['bits'] - 1}:0] {port['name']};" for port in ports if port["name"] not in ("clk", "rst")),
        "  reg rst;",
        f"  reg [{noise_bits - 1}:0] noise;",
        f"  reg [{32 * n_dice - 1}:0] dice;",
        f"  wire [31:0] die = dice[{32 * n_dice - 1}:{32 * n_dice - 32}];",
        instance(module, "dut", {port["name"]: port["name"] for port in ports}),
        _state(streams, manifest),
    ]
    for number, stream in enumerate(streams.values()):
        lines += _stream(number, stream, manifest)
    for kind, memory in memories.items():
        lines += _memory(kind, memory, all_streams)
    lines += [_clocked(streams, manifest, noise_bits, n_dice, length)]
    if memories:
        lines += [_memories_clocked(memories)]
    return "\n".join([*lines, "endmodule", ""])


def own_streams(manifest: Mapping[str, Any]) -> dict[str, Stream]:
    """Return the streams of an engine that no memory has."""
    memories = manifest.get("memory_streams", {}).values()
    taken = {memory[way] for memory in memories for way in ("request", "response", "write")}
    return {name: stream for name, stream in read_streams(manifest["streams"]).items() if name not in taken}


def _memory(kind: str, memory: Mapping[str, Any], streams: Mapping[str, Stream]) -> list[str]:
    """Put a memory of requests at its streams, which are watched."""
    controls = {name: f"memory_{name}" for name in MEMORY_CONTROLS}
    lines = [request_memory(f"{kind}_memory", memory, streams, controls)]
    for way in ("request", "response", "write"):
        stream = streams[memory[way]]
        wires = {"clk": "clk", "rst": "rst", "valid": stream.valid, "ready": stream.ready, "payload": stream.payload}
        lines.append(instance("hamming_stream_monitor", monitor(stream.name), wires, {"BITS": stream.bits}))
    return lines


def _memories_clocked(memories: Mapping[str, Any]) -> str:
    """Change how the memories behave now and then, and write down what they do."""
    controls = "\n".join(f"  reg [{bits - 1}:0] memory_{name};" for name, bits in MEMORY_CONTROLS.items())
    broken = " || ".join(
        f"{monitor(memory[way])}.violation != 0"
        for memory in memories.values()
        for way in ("request", "response", "write")
    )
    told = "\n".join(
        f'    if ({kind}_memory.takes_{what}) $fwrite(events, "6 %h %h %h\\n", cycle, cycle, 32\'d{2 * n + code});'
        for n, kind in enumerate(memories)
        for code, what in enumerate(("wrong", "stray"))
    )
    zeroes = ", ".join(f"memory_{name}" for name in MEMORY_CONTROLS)
    return f"""\
{controls}
  reg memory_was_slow, memory_was_broken;
  wire memory_is_slow = {" || ".join(f"{kind}_memory.is_slow" for kind in memories)};
  wire memory_is_broken = {broken};
  initial {{{zeroes}, memory_was_slow, memory_was_broken}} = 0;

  always @(posedge clk) begin
    memory_was_slow <= memory_is_slow;
    memory_was_broken <= memory_is_broken;
    if (memory_is_slow != memory_was_slow) $fwrite(events, "5 %h %h %h\\n", cycle, cycle, memory_is_slow | 32'd0);
    if (memory_is_broken && !memory_was_broken) $fwrite(events, "7 %h %h %h\\n", cycle, cycle, 32'd0);
{told}
    if (phase_left == 0) begin
      {{{zeroes}}} = 0;
      memory_latency_least = 1;
      if ($urandom % 2) begin
        memory_latency_least = 1 + $urandom % 8;
        memory_latency_more = $urandom % 16;
        memory_latency_most = 200;
        memory_pauses = $urandom % 192;
        if ($urandom % 2) begin
          memory_refresh_every = 100;
          memory_refresh = $urandom % 50;
        end
      end
      if ($urandom % 4 == 0) memory_wrongs = 4;
      if ($urandom % 4 == 0) memory_strays = 4;
    end
  end"""


def _state(streams: Mapping[str, Stream], manifest: Mapping[str, Any]) -> str:
    """Declare what a phase of the run is: rates, ranges, how often a reset strikes."""
    spec = manifest["spec"]
    rates = "\n".join(
        f"  reg [8:0] {name}_rate, {name}_withdraws, {name}_changes;\n  reg [15:0] {name}_pauses;" for name in streams
    )
    return f"""\
{rates}
  reg [31:0] cycle, last_cycle, seed, phase_left, row_number, entry_number;
  reg [8:0] reset_rate;
  reg [3:0] reset_left;
  reg [2:0] row_mode, seen_mode, first_mode, key_mode, mask_mode;
  reg is_good_table, is_storm;
  reg [31:0] split;
  reg [{spec["d_head"] - 1}:0] near;
  integer events, i;
  reg [31:0] junk;
  reg was_in_reset;
  reg [{len(manifest["errors"]) - 1}:0] last_error;"""


def _stream(number: int, stream: Stream, manifest: Mapping[str, Any]) -> list[str]:
    name = stream.name
    wires = {"clk": "clk", "rst": "rst", "cycle": "cycle", "dice": f"dice[{32 * number + 31}:{32 * number}]"}
    wires |= {"valid": stream.valid, "ready": stream.ready, "payload": stream.payload}
    # A string is a parameter like any other.
    parameters: dict[str, Any] = {"BITS": stream.bits, "FILE": f'"{name}.log"'}
    if stream.direction == "output":
        wires |= {"takes": f"{name}_rate", "pauses": f"{name}_pauses"}
        return [instance("hamming_fuzz_sink", f"{name}_sink", wires, parameters)]
    wires |= {"offers": f"{name}_rate", "withdraws": f"{name}_withdraws", "changes": f"{name}_changes"}
    wires["fresh"] = f"{name}_fresh"
    return [
        f"  wire [{stream.bits - 1}:0] {name}_fresh;",
        *choices(stream, manifest),
        instance("hamming_fuzz_source", f"{name}_source", wires, parameters),
    ]


def _clocked(
    streams: Mapping[str, Stream], manifest: Mapping[str, Any], noise_bits: int, n_dice: int, length: int
) -> str:
    moves = [stream.ready if stream.direction == "input" else stream.valid for stream in streams.values()]
    moves += [
        f"{memory[way]}__{'ready' if way == 'response' else 'valid'}"
        for memory in manifest.get("memory_streams", {}).values()
        for way in ("request", "response", "write")
    ]
    moving = f"{{{', '.join(moves)}}}"
    inputs = [stream for stream in streams.values() if stream.direction == "input"]
    rates = []
    for name, stream in streams.items():
        if stream.direction == "output":
            rates += [
                f"      {name}_rate = is_storm || $urandom % 2 ? some_rate($urandom) : 256;",
                f"      {name}_pauses = is_storm ? $urandom % 256 : 0;",
            ]
        else:
            rates += [
                f"      {name}_rate = some_rate($urandom);",
                f"      {name}_withdraws = is_storm && $urandom % 2 ? $urandom % 128 : 0;",
                f"      {name}_changes = is_storm && $urandom % 2 ? $urandom % 128 : 0;",
            ]
    table = "i_weight" in streams
    quiet = "\n".join(f"          {stream.name}_rate = 256;" for stream in inputs if stream.name.startswith("i_mask"))
    taking = "\n".join(f"          {n}_rate = 256;" for n, stream in streams.items() if stream.direction == "output")
    return f"""\
  // None, hardly any, some, all.
  function [8:0] some_rate(input [31:0] die);
    case (die[2:0])
      0: some_rate = 0;
      1: some_rate = 3;
      2, 3: some_rate = 24;
      4, 5: some_rate = 128;
      default: some_rate = 256;
    endcase
  endfunction

  initial begin
    if (!$value$plusargs("cycles=%d", last_cycle)) last_cycle = 1000;
    if (!$value$plusargs("seed=%d", seed)) seed = 0;
    events = $fopen("{EVENTS}", "w");
    for (i = 0; i < 1000 + seed % 65536; i = i + 1) junk = $urandom;
    {{cycle, phase_left, row_number, entry_number}} = 0;
    rst = 1;
    reset_left = seed % 2;
    done = 0;
    reset_rate = 0;
    {{noise, dice}} = 0;
    {{row_mode, seen_mode, first_mode, key_mode, mask_mode, is_good_table, is_storm, split, near}} = 0;
    was_in_reset = 0;
    last_error = 0;
    {"".join(f"{{{name}_rate, {name}_pauses, {name}_withdraws, {name}_changes}} = 0; " for name in streams)}
  end

  always @(posedge clk) begin
    for (i = 0; i < {noise_bits // 32}; i = i + 1) noise[32*i +: 32] <= $urandom;
    for (i = 0; i < {n_dice}; i = i + 1) dice[32*i +: 32] <= $urandom;
    cycle <= cycle + 1;
    if (i_row__valid && i_row__ready === 1'b1) row_number <= row_number + 1;
    {"if (i_weight__valid && i_weight__ready === 1'b1) entry_number <= entry_number + 1;" if table else ""}

    was_in_reset <= rst;
    last_error <= error;
    if (rst && !was_in_reset) $fwrite(events, "1 %h %h %h\\n", cycle, cycle, 32'd0);
    if (!rst && was_in_reset) $fwrite(events, "2 %h %h %h\\n", cycle, cycle, 32'd0);
    if (error !== last_error && cycle != 0) $fwrite(events, "3 %h %h %h\\n", cycle, cycle, error | 32'd0);
    if (rst && {moving} !== 0) $fwrite(events, "4 %h %h %h\\n", cycle, cycle, {moving} | 32'd0);

    if (cycle + 4 >= last_cycle) begin
      rst <= 1;  // ends every offer
      done <= cycle >= last_cycle;
    end else begin
      if (reset_left != 0) reset_left <= reset_left - 1;
      else if ({{1'b0, die[7:0]}} < reset_rate && die[15:8] < 16) reset_left <= die[16] ? 1 : 1 + die[19:18];
      rst <= reset_left != 0;
    end

    if (phase_left != 0) phase_left <= phase_left - 1;
    else begin
      phase_left <= {length} / 4 + $urandom % {length};
      is_storm = $urandom % 4 == 0;
{chr(10).join(rates)}
      reset_rate <= is_storm ? $urandom % 32 : 0;
      if ($urandom % 8 == 0) reset_left <= 1 + $urandom % 4;
      row_mode <= $urandom % 8;
      seen_mode <= $urandom % 8;
      first_mode <= $urandom % 8;
      key_mode <= $urandom % 8;
      mask_mode <= $urandom % 8;
      split <= $urandom % {manifest["spec"]["n_keys"] + 1};
      is_good_table <= !is_storm;
      near <= noise;
      {"if (!is_storm && $urandom % 4 != 0) i_weight_rate = 0;" if table else ""}
      if (!is_storm) case ($urandom % 8)
        0, 1: begin  // load
          i_row_rate = 256;
          row_mode <= 0;
          i_query_rate = 0;
          {"i_weight_rate = 256;" if table else ""}
        end
        2: begin  // append
          row_mode <= 2;
          seen_mode <= 2;
        end
        3: begin  // queries one by one, at full rate
          i_row_rate = 0;
          i_query_rate = {max(1, 128 // manifest["cycles"]["latency"]["cycles"])};
          {"i_weight_rate = 0;" if table else ""}
{quiet}
{taking}
        end
        4, 5: begin  // nothing but queries
          i_row_rate = 0;
          i_query_rate = 256;
          {"i_weight_rate = 0;" if table else ""}
        end
      endcase
    end
  end"""
