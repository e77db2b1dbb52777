"""Plain transformer encoders around `HammingAttention`: a small one for images, and BERT's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hamming.distill.method.attention import HammingAttention

__all__ = ["Block", "ImageEncoder", "TextEncoder"]


class Block(nn.Module):
    """One layer: attention and a perceptron, each with a norm and a way around it.

    Parameters
    ----------
    d_model, n_heads
        As of `HammingAttention`.
    d_inner
        Elements between the perceptron's two matrices.
    norm_first
        Whether the norms come before attention and perceptron (ViT), or after the sums (BERT).
    norm_eps
        What keeps a norm from dividing by zero.
    """

    def __init__(
        self, d_model: int, n_heads: int, d_inner: int, *, norm_first: bool = True, norm_eps: float = 1e-6
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = HammingAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model, eps=norm_eps)
        self.perceptron = nn.Sequential(nn.Linear(d_model, d_inner), nn.GELU(), nn.Linear(d_inner, d_model))
        self.perceptron_norm = nn.LayerNorm(d_model, eps=norm_eps)

    def forward(self, x: Tensor, visible: Tensor | None, need_scores: bool) -> tuple[Tensor, Tensor | None]:
        """Return the tokens after this layer, and the attention's scores if they are wanted."""
        if self.norm_first:
            attended, scores = self.attention(self.attention_norm(x), visible=visible, need_weights=need_scores)
            x = x + attended
            return x + self.perceptron(self.perceptron_norm(x)), scores
        attended, scores = self.attention(x, visible=visible, need_weights=need_scores)
        x = self.attention_norm(x + attended)
        return self.perceptron_norm(x + self.perceptron(x)), scores


class Encoder(nn.Module):
    """Blocks one after the other; what an encoder embeds and what it classifies is its own."""

    blocks: nn.ModuleList

    def encode(
        self, x: Tensor, visible: Tensor | None = None, *, need_scores: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the tokens after the last block, and the scores of each block's attention if they are wanted."""
        found = []
        for block in self.blocks:
            x, scores = block(x, visible, need_scores)
            if scores is not None:
                found.append(scores)
        return x, found


class ImageEncoder(Encoder):
    """A small vision transformer (Dosovitskiy et al., arXiv 2010.11929).

    Square patches that do not overlap become tokens by one matrix, so that nothing but attention carries anything from
    patch to patch. A token in front of them is what the classes are read from.

    Parameters
    ----------
    image_size, patch_size
        Pixels along an edge; the second divides the first.
    n_classes
        Classes.
    n_layers, d_model, n_heads, d_inner
        Shape of the blocks.
    """

    def __init__(
        self,
        *,
        image_size: int = 28,
        patch_size: int = 4,
        n_classes: int = 10,
        n_layers: int = 4,
        d_model: int = 64,
        n_heads: int = 2,
        d_inner: int = 128,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ValueError(f"patch_size must divide the image's {image_size} pixels, not {patch_size}")
        self.patch_size = patch_size
        self.embed = nn.Linear(patch_size**2, d_model)
        self.first = nn.Parameter(torch.zeros(d_model))
        self.position = nn.Parameter(0.02 * torch.randn((image_size // patch_size) ** 2 + 1, d_model))
        self.blocks = nn.ModuleList(Block(d_model, n_heads, d_inner) for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model, eps=1e-6)
        self.head = nn.Linear(d_model, n_classes)

    def forward(self, images: Tensor, *, need_scores: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Classify `images`, `(batch, image_size, image_size)`; return logits, and each layer's scores or none."""
        size = self.patch_size
        patches = images.unfold(1, size, size).unfold(2, size, size).flatten(3).flatten(1, 2)
        x = self.embed(patches)
        x = torch.cat([self.first.expand(len(x), 1, -1), x], 1) + self.position
        x, scores = self.encode(x, need_scores=need_scores)
        return self.head(self.norm(x[:, 0])), scores


class TextEncoder(Encoder):
    """BERT's encoder (Devlin et al., arXiv 1810.04805), with the mean of its tokens classified by one matrix.

    Parameters
    ----------
    n_words, n_positions
        Entries of the two tables of embeddings.
    n_classes
        Classes.
    n_layers, d_model, n_heads, d_inner
        Shape of the blocks.
    """

    def __init__(
        self,
        *,
        n_classes: int,
        n_words: int = 30522,
        n_positions: int = 512,
        n_layers: int = 6,
        d_model: int = 384,
        n_heads: int = 12,
        d_inner: int = 1536,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(n_words, d_model)
        self.position = nn.Embedding(n_positions, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        self.blocks = nn.ModuleList(
            Block(d_model, n_heads, d_inner, norm_first=False, norm_eps=1e-12) for _ in range(n_layers)
        )
        self.head = nn.Linear(d_model, n_classes)

    def forward(self, tokens: Tensor, visible: Tensor, *, need_scores: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Classify texts.

        Parameters
        ----------
        tokens
            Numbers of words, `(batch, n_tokens)`.
        visible
            True where a token is one of the text, and not padding; same shape.
        need_scores
            Whether the scores of each layer's attention are wanted too.
        """
        x = self.norm(self.words(tokens) + self.position.weight[: tokens.shape[1]])
        x, scores = self.encode(x, visible, need_scores=need_scores)
        share = visible[..., None] / visible.sum(1)[:, None, None]
        return self.head((x * share).sum(1)), scores
