# %% [markdown]
# # An engine of your own
#
# Choose a size, see that it computes what it should, and what it costs. This page is what the script
# `docs/tutorials/own-engine.py` printed.
#
# ## What is to be computed
#
# Say a head has 16 elements and 32 keys, of which 6 are kept. The logit scale comes from the model; this one is
# typical.

# %%
from hamming import AttentionSpec

spec = AttentionSpec.from_logit_scale(d_head=16, d_value=16, n_keys=32, top_k=6, logit_scale=0.3, weight_bits=8)
print(spec.weights)

# %% [markdown]
# The table falls from the best key's weight by the number of bits in which another key is worse.
#
# ## How fast
#
# `n_lanes` keys are scored a cycle, and `n_macs` value elements summed. Each has its term; the larger one is what a
# query takes.

# %%
from hamming import Design, EngineConfig

for n_lanes, n_macs in ((1, 16), (1, 4), (2, 4), (2, 8), (4, 16)):
    sizes = Design(spec, EngineConfig(n_lanes=n_lanes, n_macs=n_macs)).dimensions
    terms = sizes.cycle_terms()
    print(f"{n_lanes} lanes, {n_macs:2} multipliers: {max(terms.values()):2} cycles, of {terms}")

# %% [markdown]
# With one lane, scoring takes 32 cycles, and 4 multipliers are enough. Two lanes and 8 multipliers halve that: take
# those. `select` and `divide` are kept below the other two by the sizes that are derived.
#
# ## Does it compute that?
#
# The golden model says what every output bit is; the Verilog is simulated with the same queries.

# %%
import numpy as np

from hamming import attend, binarize, quantize, simulate

rng = np.random.default_rng(0)
q, k = binarize(rng.normal(size=(40, 16))), binarize(rng.normal(size=(32, 16)))
v, scale = quantize(rng.normal(size=(32, 16)))
expected = attend(spec, q, k, v)

config = EngineConfig(name="mine", n_lanes=2, n_macs=8)
found = simulate(spec, config, q, k, v)
print("equal to the model:", np.array_equal(found.out, expected.out))
print("mismatches:", found.report.n_mismatches)
print("cycles a query:", f"{found.report.cycles_a_query:.1f}; the bound is {found.report.cycles_bound:.0f}")

# %% [markdown]
# ## What does it cost?

# %%
from hamming import Engine, synthesize
from hamming.rtl.verilog import emit
from hamming.synth.library import load_library

verilog = emit(Engine(spec, config), "mine")
report = synthesize(verilog, top="mine", library=load_library(), flat=False)
for block in sorted(report.blocks, key=lambda block: -block.figures.area)[:4]:
    print(f"{block.name:14} {block.figures.area:7,.0f} µm²")
print(f"{'total':14} {report.total.area:7,.0f} µm², and {report.memory_bits:,} bits of memories")

# %% [markdown]
# Sums and divisions are most of it, not the scores: binary keys are cheap. On the command line the same is `hamming
# simulate mine.toml` and `hamming synthesize mine.toml`, with the sizes in a file ([First
# engine](../guide/first-engine.md)). How to connect what came out is [next](../guide/connect.md).
