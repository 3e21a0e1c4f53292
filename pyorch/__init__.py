"""Python orchestration of FPGA, GPU and CPU engines for quantised LSTMs in a quoting loop."""

__version__ = "0.1.0"
