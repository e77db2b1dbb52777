"""Proofs: what holds of the components for all inputs and all stalls, at small sizes; arithmetic at full ones."""
