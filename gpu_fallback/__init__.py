"""GPU engines: export, TensorRT, CUDA kernels."""
