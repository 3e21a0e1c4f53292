"""TensorRT: engines built from exported cells, kept in a cache, run from CUDA graphs."""
