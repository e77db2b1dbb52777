"""A causal language model of a GGUF file, as the folder that `student.teacher` names: weights in float32.

GGUF is what programs for inference read, mostly with weights of few bits; `transformers` reads it with the packages of
the extra `[gguf]`. What comes out has the numbers that these bits stand for::

    python -m hamming.distill.models.from_gguf FILE.gguf FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hamming.distill.models.pretrained import network_of
from hamming.files import check_writable, new_folder

__all__ = ["unpack"]

_MAGIC = b"GGUF"

#: Of a file's metadata: what a whole model says, where it says anything, and what the file is otherwise.
_EXPECTED: dict[str, tuple[object, str]] = {
    "general.type": ("model", "no model"),
    "split.count": (1, "one of the files of a model that was split; join them first"),
}


def unpack(file: Path, folder: Path) -> int:
    """Write the model and the tokenizer of a GGUF file into a new folder, as `save_pretrained` does.

    Parameters
    ----------
    file
        The whole of a causal language model, of an architecture that `transformers` knows.
    folder
        Where to; it must not exist yet. It is there when all of it is written, and not before.

    Returns
    -------
    Number of weights.

    Raises
    ------
    ImportError
        The extra `[gguf]` is not installed.
    ValueError
        The file is no GGUF file, or one of another kind; or `folder` exists or cannot be written.
    """
    _check(file)
    if folder.exists() or folder.is_symlink():
        raise ValueError(f"{str(folder)!r} exists; name a folder that does not")
    check_writable(folder)
    place: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    reading: Any = AutoModelForCausalLM  # whose return is another with `output_loading_info`
    try:
        read, found = reading.from_pretrained(file.parent, dtype=torch.float32, output_loading_info=True, **place)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **place)
    except (AttributeError, IndexError, KeyError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        reason = f"it says nothing of {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{str(file)!r} cannot be read: {reason}") from error
    missing = sorted(found["missing_keys"])
    if missing:
        raise ValueError(
            f"{str(file)!r} has no {missing[0]}" + (f", and {len(missing) - 1} more" if missing[1:] else "")
        )
    network = network_of("ForCausalLM", read.config.to_dict())  # the one that was read counts as quantized
    network.load_state_dict(read.state_dict())
    with new_folder(folder) as written:
        network.save_pretrained(written)
        tokenizer.save_pretrained(written)
    return sum(weights.numel() for weights in network.parameters())


def _check(file: Path) -> None:
    """Raise `ValueError` where the file says by itself that it is no whole language model."""
    try:
        with file.open("rb") as stream:
            magic = stream.read(len(_MAGIC))
    except OSError as error:
        raise ValueError(f"{str(file)!r} cannot be read: {error.strerror}") from error
    if magic != _MAGIC:
        raise ValueError(f"{str(file)!r} is no GGUF file: it begins with {magic!r}, not {_MAGIC!r}")
    from gguf import GGUFReader

    try:
        reader = GGUFReader(file)
        fields = {name: field.contents() for name, field in reader.fields.items() if name in _EXPECTED}
    except (IndexError, KeyError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{str(file)!r} is no whole GGUF file: {error}") from error
    for name, (expected, what) in _EXPECTED.items():
        if fields.get(name, expected) != expected:
            raise ValueError(f"{str(file)!r} is {what}: {name} is {fields[name]!r}, not {expected!r}")
    if not reader.tensors:
        raise ValueError(f"{str(file)!r} has no weights, but a vocabulary alone")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the causal language model of a GGUF file as a folder that `student.teacher` may name."""
    parser = argparse.ArgumentParser(prog="python -m hamming.distill.models.from_gguf", description=main.__doc__)
    parser.add_argument("file", type=Path, metavar="FILE.gguf", help="of a whole model, with its tokenizer")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new one: config.json, weights, tokenizer.json")
    options = parser.parse_args(arguments)
    try:
        n_weights = unpack(options.file, options.folder)
    except ImportError as error:
        parser.exit(1, f"Error: {error.name} is not installed: pip install 'hamming-attention[gguf]'\n")
    except ValueError as error:
        parser.exit(1, f"Error: {error}\n")
    print(f"{options.folder}: {n_weights:,} weights")


if __name__ == "__main__":
    main()
