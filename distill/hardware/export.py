"""A distilled model as files for the hardware: an engine for all heads, each head's table and vectors, projections.

`export_model` writes::

    FOLDER/export.json              what is here: model, layers, heads, widths, versions
    FOLDER/engine.toml              the engine that serves every head
    FOLDER/LAYER/head_0.toml        a head's spec, with its own softmax table, and the engine, which is the same for all
    FOLDER/LAYER/head_0.npz         its bits q, k and integers v, first, n_valid, mask, table; one leading axis of items
    FOLDER/LAYER/outputs.npz        out, what its heads then gave in the model, (n_heads, n_items, n_queries, d_value)
    FOLDER/LAYER/projections.npz    the layer's matrices, with centring of keys and scales of values folded in; not of a
                                    model of `transformers`, which may turn queries and keys between them and the signs

`hamming generate`, `run`, `simulate` and `synthesize` take any of the TOML files. The engines of all of them are the
same Verilog, since `table = "loadable"`: a head's entries go in through the stream `i_weight`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from hamming.distill.hardware.engine_file import engine_settings, write_design
from hamming.distill.hardware.evaluate import calibrated_values
from hamming.distill.hardware.integer import HeadInputs, integer_attention, value_scales
from hamming.distill.hardware.projections import projections
from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.convert import hamming_layers
from hamming.distill.method.heads import HammingHeads
from hamming.distill.method.quantize import Widths, head_spec
from hamming.distill.tasks.language import Language
from hamming.distill.tasks.text import TextTask
from hamming.distill.training.runs import Run, versions
from hamming.files import new_folder
from hamming.golden.checks import require_int

__all__ = ["Export", "export_model", "export_run"]


@dataclass(frozen=True, kw_only=True)
class Export:
    """What was written.

    Attributes
    ----------
    folder
        Where.
    heads
        The TOML file of each head, by layer.
    engine
        Keys of the section `[engine]` of all of them.
    n_items, n_queries
        Items in each head's vectors, and queries of an item.
    """

    folder: Path
    heads: dict[str, list[Path]]
    engine: dict[str, Any]
    n_items: int
    n_queries: int


def export_run(
    run: Run, folder: Path, *, items: int = 4, widths: Widths | None = None, name: str | None = None
) -> Export:
    """Export a finished student, with the vectors of its first test items.

    The folder appears whole, or not at all.

    Parameters
    ----------
    run
        A student's.
    folder
        Where to: a new folder, or an empty one.
    items
        Test items.
    widths
        Of the integers; None: the defaults.
    name
        Of the engine; None: the run's, with what a Verilog name cannot have replaced.

    Raises
    ------
    ValueError
        The run is a teacher's, the folder is not empty or cannot be written, or as of `export_model`.
    """
    if run.config.student is None:
        raise ValueError(f"{run.folder.path} is a teacher's run; its students are exported")
    items = require_int("items", items, 1, run.task.n_test)
    widths = Widths() if widths is None else widths
    with new_folder(folder) as temporary:
        scales = value_scales(calibrated_values(run.model, run.task), widths.value_bits)
        found = export_model(
            run.model,
            lambda inputs: run.task.forward(run.model, inputs),
            run.task.test_batch(slice(0, items))[0],
            temporary,
            scales=scales,
            widths=widths,
            name=re.sub(r"^(?=\d)|\W", "_", f"{run.config.name}_engine", flags=re.ASCII) if name is None else name,
            n_keys=run.config.task.n_tokens if isinstance(run.task, (TextTask, Language)) else None,
            title=f"{run.config.name}, seed {run.config.seed}",
        )
    moved = {key: [folder / path.relative_to(temporary) for path in paths] for key, paths in found.heads.items()}
    return replace(found, folder=folder, heads=moved)


def export_model(
    model: nn.Module,
    run: Callable[[Any], object],
    batch: Any,
    folder: Path,
    *,
    scales: Mapping[str, Tensor],
    widths: Widths,
    name: str = "hamming_engine",
    n_keys: int | None = None,
    title: str = "a model",
) -> Export:
    """Write what every head of `model` computes for a batch, and the engine that computes it.

    Parameters
    ----------
    model
        Distilled: its attention in mode `sign`.
    run
        `run(batch)` sends a batch through the model.
    batch
        Some items, whose vectors are written.
    folder
        Where to; folders are made, files of the same names replaced.
    scales, widths
        As of `integer.integer_attention`.
    name
        Of the engine.
    n_keys
        Most keys that a query sees, in any item. None: as many as in this batch.
    title
        What the model is, for the files' first lines.

    Raises
    ------
    ValueError
        Heads differ in shape or in the keys they keep, so that no engine serves them all, the batch has more keys
        than `n_keys`, or no engine can have this name.
    OSError
        A file cannot be written.
    """
    given: dict[str, HeadInputs] = {}
    outputs: dict[str, NDArray[np.int64]] = {}

    def keep(key: str, inputs: HeadInputs, out: NDArray[np.int64]) -> None:
        given[key], outputs[key] = inputs, out

    with integer_attention(model, scales, widths, watch=keep):
        run(batch)
    n_items, _, n_queries, _ = next(iter(given.values())).q.shape
    most = max(inputs.k.shape[-2] for inputs in given.values())
    room = most if n_keys is None else require_int("n_keys", n_keys, most)

    layers = hamming_layers(model)
    specs = {key: [head_spec(layer, h, room, widths) for h in range(layer.n_heads)] for key, layer in layers.items()}
    engine = engine_settings(
        [spec for row in specs.values() for spec in row],
        name=name,
        mask=any(inputs.mask is not None for inputs in given.values()),
        has_range=any(inputs.first is not None for inputs in given.values()),
    )

    heads = {}
    folder.mkdir(parents=True, exist_ok=True)
    about = f"The engine of all heads of {title}; the table is that of the first, each head loads its own."
    write_design(folder / "engine.toml", about, next(iter(specs.values()))[0], engine)
    for key, layer in layers.items():
        place = folder / key
        place.mkdir(parents=True, exist_ok=True)
        _save(place / "outputs.npz", {"out": outputs[key].swapaxes(0, 1)})
        if isinstance(layer, HammingAttention):
            _save(place / "projections.npz", projections(layer, scales[key], widths))
        heads[key] = []
        for head, spec in enumerate(specs[key]):
            tables = ", ".join(f"{scale:.6g}" for scale in layer.logit_scales[head].tolist())
            about = f"{key} of {title}, head {head} of {layer.n_heads}, logit scale {tables}."
            heads[key].append(place / f"head_{head}.toml")
            write_design(heads[key][-1], about, spec, engine)
            _save(place / f"head_{head}.npz", _vectors(given[key], head))
    found = Export(folder=folder, heads=heads, engine=engine, n_items=n_items, n_queries=n_queries)
    _write_index(found, layers, scales, widths, title)
    return found


def _vectors(given: HeadInputs, head: int) -> dict[str, NDArray]:
    arrays: dict[str, NDArray] = {"q": given.q[:, head], "k": given.k[:, head], "v": given.v[:, head]}
    return arrays | given.limits(head)


def _save(path: Path, arrays: Mapping[str, NDArray]) -> None:
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _write_index(
    found: Export, layers: Mapping[str, HammingHeads], scales: Mapping[str, Tensor], widths: Widths, title: str
) -> None:
    facts = {
        "format": 1,
        "title": title,
        "widths": asdict(widths),
        "engine": found.engine,
        "n_items": found.n_items,
        "n_queries": found.n_queries,
        "layers": {
            key: {
                "heads": [str(path.relative_to(found.folder)) for path in found.heads[key]],
                "logit_scale": layer.logit_scale.tolist(),
                "value_scale": scales[key].tolist(),
            }
            for key, layer in layers.items()
        },
        "versions": versions() | {"hamming": version("hamming-attention")},
    }
    (found.folder / "export.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
