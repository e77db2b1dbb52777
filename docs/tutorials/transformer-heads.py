# %% [markdown]
# # Your transformer's heads through it
#
# From a plain PyTorch encoder to its heads on the simulated hardware. Any model whose attention is
# `nn.MultiheadAttention` goes the same way. It needs PyTorch, `pip install -e .[distill]`; the script is
# `docs/tutorials/transformer-heads.py`.
#
# ## A model
#
# Two layers of two heads, not trained: what matters here is that nothing is lost on the way, not what it knows.

# %%
import torch
from torch import nn

torch.manual_seed(0)
layer = nn.TransformerEncoderLayer(32, 2, 64, dropout=0, batch_first=True)
model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
batches = [torch.randn(8, 24, 32) for _ in range(4)]  # items, tokens, features
with torch.no_grad():
    before = model(batches[0])

# %% [markdown]
# ## Signs in place of queries and keys
#
# `convert` puts our module, with the same weights, in place of each attention; nothing changes yet. `calibrate`
# measures the spread of queries and keys, from which each head's softmax table follows. Mode `sign` then uses their
# signs alone, and 8 kept keys.

# %%
from hamming.distill.method.convert import calibrate, configure, convert

model = convert(model)
calibrate(model, model, batches)
configure(model, mode="sign", top_n=8)
with torch.no_grad():
    signs = model(batches[0])
similarity = nn.functional.cosine_similarity(before, signs, dim=-1)
print(f"cosine to the model as it was: {similarity.mean():.2f}")

# %% [markdown]
# This model knows nothing that it could lose. One that was trained loses some of its accuracy, and
# [distillation](../distillation.md) brings it back.
#
# ## Integers
#
# Values become integers, each element with a scale of its own. Then the golden model, which is what the hardware
# computes to the last bit, attends in place of PyTorch.

# %%
from hamming.distill.hardware.integer import collect_values, integer_attention, value_scales
from hamming.distill.method.quantize import Widths

for widths in (Widths(), Widths(weight_bits=4, value_bits=4, out_frac_bits=2)):
    scales = value_scales(collect_values(model, model, batches), widths.value_bits)
    with torch.no_grad(), integer_attention(model, scales, widths):
        integers = model(batches[0])
    similarity = nn.functional.cosine_similarity(signs, integers, dim=-1)
    print(
        f"{widths.weight_bits:2}-bit weights, {widths.value_bits}-bit values: cosine to signs {similarity.mean():.3f}"
    )

# %% [markdown]
# ## Through the Verilog
#
# `export_model` writes a design and vectors for each head; each is simulated, and held against what the model used.

# %%
from pathlib import Path

import numpy as np

from hamming import load_design, simulate
from hamming.distill.hardware.export import export_model

widths = Widths(weight_bits=4, value_bits=4, out_frac_bits=2)
with torch.no_grad():
    export = export_model(model, model, batches[0][:2], Path("heads"), scales=scales, widths=widths)
for name, heads in export.heads.items():
    used = np.load(heads[0].parent / "outputs.npz")["out"]
    for number, head in enumerate(heads):
        design, vectors = load_design(head), np.load(head.with_suffix(".npz"))
        found = simulate(design.spec, design.config, vectors["q"], vectors["k"], vectors["v"])
        same = np.array_equal(found.out, used[number])
        print(f"{name}, head {number}: {found.report.queries} queries, as the model's: {same}")

# %% [markdown]
# All four heads share one engine, whose table is loaded: `heads/engine.toml`, which `hamming generate` and `hamming
# synthesize` take. A run of `hamming distill` goes the same way by `hamming evaluate` and `hamming export`
# ([Train](../guide/train.md#making-a-model-ready)).
