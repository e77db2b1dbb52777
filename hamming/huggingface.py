"""Attention with binary queries and keys in models of the package `transformers`: the names that a user imports.

Importing this registers the attention `hamming`, and what brings its state back in `from_pretrained`.
"""

from __future__ import annotations

from hamming.distill.huggingface import HammingConfig, calibrate, configure, hamming_attention, prepare

__all__ = ["HammingConfig", "calibrate", "configure", "hamming_attention", "prepare"]
