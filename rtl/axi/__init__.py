"""The engine behind AXI: streams, registers, an interrupt."""
