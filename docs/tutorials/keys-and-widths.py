# %% [markdown]
# # What keys and widths cost
#
# How many keys to keep, and how many bits to spend: what each costs in likeness to full attention, in cycles, area
# and energy. The script is `docs/tutorials/keys-and-widths.py`.
#
# ## Kept keys
#
# The package has queries, keys and values of all-MiniLM-L6-v2, 12 heads of a layer on 128 tokens. Against attention
# over all 128 keys, with the same signs, an output that keeps `top_k` of them has this cosine:

# %%
import numpy as np

from hamming.golden.fixture import load_minilm
from hamming.golden.ideal import dense_attention, had_attention

heads = load_minilm()
values, logit_scale = heads.v.astype(np.float64), heads.logit_scale[:, None, None]
dense = dense_attention(heads.q, heads.k, values, logit_scale)


def likeness(out):
    norms = np.linalg.norm(out, axis=-1) * np.linalg.norm(dense, axis=-1)
    return ((out * dense).sum(axis=-1) / norms).mean()


kept = [4, 8, 16, 30, 64, 128]
alike = [likeness(had_attention(heads.q, heads.k, values, logit_scale, top_k)) for top_k in kept]
for top_k, cosine in zip(kept, alike, strict=True):
    print(f"top_k = {top_k:3}: {cosine:.3f}")

# %% [markdown]
# No model was trained for that. One that was keeps its accuracy with far fewer ([what was
# found](../distillation.md#what-they-say)): 8 of 256 lose nothing that 300 test passages could tell.
#
# What they cost in cycles: an engine of 128 keys that is to take a query every 64 cycles must sum `top_k` keys in
# them. The more multipliers that takes, the larger it is.

# %%
from hamming import AttentionSpec, Design, EngineConfig

for top_k in kept:
    spec = AttentionSpec.from_logit_scale(d_head=64, d_value=64, n_keys=128, top_k=top_k, logit_scale=0.3)
    macs = next(n for n in (4, 8, 16, 32, 64) if top_k * 64 // n <= 64 or n == 64)
    cycles = Design(spec, EngineConfig(n_lanes=2, n_macs=macs)).dimensions.cycle_terms()
    print(f"top_k = {top_k:3}: {macs:2} multipliers, {max(cycles.values())} cycles")

# %% [markdown]
# ## Area and energy
#
# `make sweep` measured engines around the preset `flagship`, one size at a time, memories not counted. Kept keys and
# lanes, the two that are yours to choose:

# %%
from pathlib import Path

from hamming.synth import plots
from hamming.synth.studies.sweep import along, read

rows = read()
for row in along(rows, "top_k"):
    print(
        f"top_k = {row['top_k']:3}: {row['area_um2']:7,.0f} µm², "
        f"{row['energy_pj']:6,.0f} pJ, {row['cycles']:.0f} cycles"
    )

with plots.drawn(
    Path("keys-and-widths.svg"), "Area and energy against kept keys and lanes", width=8, height=3.2, columns=2
) as places:
    for place, axis, name in zip(places, ("top_k", "n_lanes"), ("kept keys", "keys scored a cycle"), strict=True):
        points = along(rows, axis)
        x = [point[axis] for point in points]
        for key, unit, colour in (("area_um2", 1e3, plots.SERIES[0]), ("energy_pj", 1e3, plots.SERIES[1])):
            y = [point[key] / unit for point in points]
            place.plot(x, y, "o-", color=colour)
            if axis == "top_k":
                label = "logic, thousand µm²" if key == "area_um2" else "energy a query, nJ"
                place.annotate(label, (x[0], y[0]), (0, 20), textcoords="offset points", color=colour)
        place.set_xscale("log", base=2)
        place.set_yscale("log")
        place.set_xticks(x, [str(value) for value in x])
        place.minorticks_off()
        place.set_yticks([1, 3, 10, 30, 100, 300], ["1", "3", "10", "30", "100", "300"])
        place.set_ylim(2, 300)
        place.set_xlabel(name)

# %% [markdown]
# ![Area and energy: rising with kept keys; with lanes, area rises and energy falls to a least.](keys-and-widths.svg)
#
# More lanes make an engine larger, and a query, which takes fewer cycles, cheaper; until, with 64 of them, the sums
# set the pace.
#
# ## Widths
#
# Weights and values of fewer bits make products, sums and divisions narrower. The preset `bert`, of 8 bits, and the
# same engine with other widths:

# %%
from hamming.synth.compare.results import read as read_comparisons

comparison = read_comparisons()["bert"]
for design in comparison.designs:
    share = design.energy / comparison.standard.energy
    cosine = design.accuracy[0].mean_cosine
    print(f"{design.title:64} {design.area:8,.0f} µm² {design.energy:7,.0f} pJ {share:5.0%} {cosine:.4f}")

# %% [markdown]
# The cosine is that of a transformer which was not trained for it. [One that was](../hardware-accuracy.md) keeps its
# accuracy with 4 bits for both, within the error of counting 10,000 images: half of the energy of 8 bits.
