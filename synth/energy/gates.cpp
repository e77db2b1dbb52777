// Simulates gates over lanes, one bit each: a lane is one clock cycle of one stream of queries.
// synth/energy/kernel.py fills in FUNCTIONS, one case for each Boolean function, and compiles this file.

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace {

constexpr int WORDS = 8;  // 512 lanes
typedef uint64_t Lanes __attribute__((vector_size(8 * WORDS), aligned(8)));

template <class T> inline T evaluate(int function, const T *i) {
  switch (function) {
    FUNCTIONS
  }
  return i[0];
}

inline bool any(const Lanes &lanes) {
  uint64_t all = 0;
  for (int w = 0; w < WORDS; w++) all |= lanes[w];
  return all != 0;
}

inline int64_t count(const Lanes &lanes) {
  int64_t sum = 0;
  for (int w = 0; w < WORDS; w++) sum += __builtin_popcountll(lanes[w]);
  return sum;
}

constexpr int PINS = 6;
constexpr int ARCS = 4 * PINS;  // of a gate: by pin, edge of the pin, edge of the output

struct Event {
  Lanes lanes;
  int32_t gate, arc;
};

}  // namespace

// Settled values of gates that are given in topological order; `values` is [net][n_words].
extern "C" void settle(int64_t n_gates, const int32_t *function, const int32_t *inputs, const int32_t *output,
                       uint64_t *values, int64_t n_words) {
  for (int64_t g = 0; g < n_gates; g++) {
    const int32_t *nets = inputs + g * PINS;
    uint64_t *out = values + output[g] * n_words;
    for (int64_t w = 0; w < n_words; w++) {
      uint64_t in[PINS];
      for (int p = 0; p < PINS; p++) in[p] = nets[p] < 0 ? 0 : values[nets[p] * n_words + w];
      out[w] = evaluate<uint64_t>(function[g], in);
    }
  }
}

// One clock cycle of 512 lanes with inertial delays.
//
// Gates 0 to n_gates - 1 compute; the n_sources after them are outputs of registers and memories and inputs, which
// change to `after` at their delay. `values` is [net][WORDS], settled before the edge, and settled again in the end.
// `delay` is [gate][ARCS] in steps, negative for an arc that there is not; a source has its own at arcs 0 (fall) and
// 1 (rise). `sinks` of net n are at sink_start[n] to sink_start[n + 1]. Transitions of lanes in `wanted` are added to
// `transitions`, [gate][ARCS]. Returns the step of the last transition, or -1 after `max_steps`.
extern "C" int64_t transitions(int64_t n_nets, int64_t n_gates, int64_t n_sources, const int32_t *function,
                               const int32_t *inputs, const int32_t *output, const int32_t *delay, int32_t max_delay,
                               const int64_t *sink_start, const int32_t *sinks, uint64_t *values_, const uint64_t *after_,
                               const uint64_t *wanted_, int64_t *transitions, int64_t max_steps) {
  Lanes *values = (Lanes *)values_;
  const Lanes *after = (const Lanes *)after_;
  const Lanes wanted = *(const Lanes *)wanted_, none = {};
  int64_t n_slots = 2, n_planes = 1;
  while (n_slots <= max_delay) n_slots *= 2, n_planes++;
  std::vector<Lanes> changed(n_nets, none), pending(n_gates + n_sources, none);
  // When each lane of a gate that is pending will change: a word of lanes for each bit of the slot. An event that comes
  // at another time was swallowed, so that no event ever has to be searched for.
  std::vector<Lanes> due((n_gates + n_sources) * n_planes, none);
  std::vector<int64_t> seen(n_gates, -1);
  std::vector<std::vector<Event>> wheel(n_slots);
  std::vector<int32_t> changed_nets, affected;
  int64_t n_waiting = 0, last = 0;

  auto schedule = [&](int32_t gate, int32_t arc, const Lanes &lanes, int64_t step) {
    const int64_t at = step & (n_slots - 1);
    Lanes *planes = &due[gate * n_planes];
    for (int64_t p = 0; p < n_planes; p++) planes[p] = (at >> p & 1) ? planes[p] | lanes : planes[p] & ~lanes;
    pending[gate] |= lanes;
    wheel[at].push_back(Event{lanes, gate, arc});
    n_waiting++;
  };

  for (int64_t s = 0; s < n_sources; s++) {
    const int32_t g = (int32_t)(n_gates + s);
    const Lanes now = after[s], diff = values[output[g]] ^ now;
    const Lanes rise = diff & now, fall = diff & ~now;
    if (any(rise)) schedule(g, 1, rise, delay[(int64_t)g * ARCS + 1]);
    if (any(fall)) schedule(g, 0, fall, delay[(int64_t)g * ARCS]);
  }

  for (int64_t step = 0; n_waiting; step++) {
    if (step > max_steps) return -1;
    const int64_t at = step & (n_slots - 1);
    if (wheel[at].empty()) continue;
    const std::vector<Event> slot = std::exchange(wheel[at], {});
    // Of two events of a lane for the same moment the later one holds.
    for (int64_t n = (int64_t)slot.size() - 1; n >= 0; n--) {
      const Event &event = slot[n];
      const Lanes *planes = &due[event.gate * n_planes];
      Lanes lanes = event.lanes & pending[event.gate];
      for (int64_t p = 0; p < n_planes; p++) lanes &= (at >> p & 1) ? planes[p] : ~planes[p];
      if (!any(lanes)) continue;
      const int32_t net = output[event.gate];
      values[net] ^= lanes;
      pending[event.gate] &= ~lanes;
      transitions[(int64_t)event.gate * ARCS + event.arc] += count(lanes & wanted);
      if (!any(changed[net])) changed_nets.push_back(net);
      changed[net] |= lanes;
      last = step;
    }
    n_waiting -= (int64_t)slot.size();

    for (int32_t net : changed_nets)
      for (int64_t s = sink_start[net]; s < sink_start[net + 1]; s++)
        if (seen[sinks[s]] != step) {
          seen[sinks[s]] = step;
          affected.push_back(sinks[s]);
        }
    for (int32_t g : affected) {
      const int32_t *nets = inputs + (int64_t)g * PINS;
      Lanes in[PINS];
      for (int p = 0; p < PINS; p++) in[p] = nets[p] < 0 ? none : values[nets[p]];
      const Lanes now = evaluate<Lanes>(function[g], in);
      const Lanes diff = now ^ values[output[g]];
      // A pulse shorter than the delay ends before it has passed.
      pending[g] &= diff;
      Lanes start = diff & ~pending[g];
      if (!any(start)) continue;
      // Of inputs that change together the fastest decides.
      struct Choice {
        int32_t delay, arc;
        Lanes lanes;
      } choices[ARCS];
      int n_choices = 0;
      for (int p = 0; p < PINS; p++) {
        if (nets[p] < 0) continue;
        const Lanes moved = changed[nets[p]] & start;
        if (!any(moved)) continue;
        for (int edges = 0; edges < 4; edges++) {
          const Lanes lanes = moved & (edges & 2 ? in[p] : ~in[p]) & (edges & 1 ? now : ~now);
          const int32_t d = delay[(int64_t)g * ARCS + 4 * p + edges];
          if (d >= 0 && any(lanes)) choices[n_choices++] = Choice{d, 4 * p + edges, lanes};
        }
      }
      std::sort(choices, choices + n_choices, [](const Choice &a, const Choice &b) { return a.delay < b.delay; });
      for (int c = 0; c < n_choices; c++) {
        const Lanes lanes = choices[c].lanes & start;
        if (!any(lanes)) continue;
        schedule(g, choices[c].arc, lanes, step + choices[c].delay);
        start &= ~lanes;
      }
      if (any(start)) return -2;  // an output changed without an arc
    }
    for (int32_t net : changed_nets) changed[net] = none;
    changed_nets.clear();
    affected.clear();
  }
  return last;
}
