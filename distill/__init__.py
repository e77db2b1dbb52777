"""Hamming Attention Distillation (arXiv 2502.01770): transformers made ready for the engine, in PyTorch."""
