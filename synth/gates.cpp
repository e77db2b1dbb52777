// Simulates gates over lanes, one bit each: a lane is one clock cycle of one stream of queries.
// synth/kernel.py fills in FUNCTIONS, one case for each Boolean function, and compiles this file.

#include <algorithm>
#include <cstdint>
#include <cstring>
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
  int32_t gate, arc, previous, next;  // events of a gate that still have lanes are a list
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
  std::vector<Lanes> changed(n_nets, none), pending(n_gates + n_sources, none);
  std::vector<int32_t> first(n_gates + n_sources, -1);
  std::vector<int64_t> seen(n_gates, -1);
  std::vector<Event> events;
  std::vector<int32_t> unused, changed_nets, affected;
  int64_t n_slots = 1;
  while (n_slots <= max_delay) n_slots *= 2;
  std::vector<std::vector<int32_t>> wheel(n_slots);
  int64_t n_waiting = 0, last = 0;

  auto schedule = [&](int32_t gate, int32_t arc, const Lanes &lanes, int64_t step) {
    int32_t e;
    if (unused.empty()) {
      e = (int32_t)events.size();
      events.emplace_back();
    } else {
      e = unused.back();
      unused.pop_back();
    }
    events[e] = Event{lanes, gate, arc, -1, first[gate]};
    if (first[gate] >= 0) events[first[gate]].previous = e;
    first[gate] = e;
    wheel[step & (n_slots - 1)].push_back(e);
    n_waiting++;
  };

  auto unlink = [&](int32_t e) {
    const Event &event = events[e];
    (event.previous < 0 ? first[event.gate] : events[event.previous].next) = event.next;
    if (event.next >= 0) events[event.next].previous = event.previous;
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
    std::vector<int32_t> &slot = wheel[step & (n_slots - 1)];
    if (slot.empty()) continue;
    for (int32_t e : slot) {
      const Event &event = events[e];
      if (any(event.lanes)) {
        unlink(e);
        const int32_t net = output[event.gate];
        values[net] ^= event.lanes;
        pending[event.gate] &= ~event.lanes;
        transitions[(int64_t)event.gate * ARCS + event.arc] += count(event.lanes & wanted);
        if (!any(changed[net])) changed_nets.push_back(net);
        changed[net] |= event.lanes;
        last = step;
      }
      unused.push_back(e);
    }
    n_waiting -= (int64_t)slot.size();
    slot.clear();

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
      const Lanes swallowed = pending[g] & ~diff;
      if (any(swallowed))
        for (int32_t e = first[g]; e >= 0; e = events[e].next) {
          events[e].lanes &= ~swallowed;
          if (!any(events[e].lanes)) unlink(e);
        }
      Lanes start = diff & ~pending[g];
      pending[g] = diff;
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
