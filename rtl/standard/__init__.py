"""Standard attention as hardware: the int8 baseline that the engine is compared with."""
