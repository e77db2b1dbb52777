"""Transformers that are trained here."""

from hamming.distill.models.encoder import ImageEncoder, TextEncoder

__all__ = ["ImageEncoder", "TextEncoder"]
