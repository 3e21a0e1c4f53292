"""A persistent CUDA kernel with the contract's integers: its cell in C++, the packing of a bundle, the
host's side.
"""
