"""FPGAs: Verilog and a device in, utilisation by block, clock and critical path after place and route out."""

from hamming.synth.fpga.devices import DEVICES, Device
from hamming.synth.fpga.measure import implement
from hamming.synth.fpga.report import Implementation

__all__ = ["DEVICES", "Device", "Implementation", "implement"]
