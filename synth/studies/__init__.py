"""Measurements that documents show, each a command; what they found is kept beside them."""
