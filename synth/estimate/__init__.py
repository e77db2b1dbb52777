"""Design → what synthesis and simulation at the gates would find of it, in a millisecond, and how far off it may be."""

from hamming.synth.estimate.model import BlockEstimate, Estimate, Model, estimate

__all__ = ["BlockEstimate", "Estimate", "Model", "estimate"]
