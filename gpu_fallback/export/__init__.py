"""A bundle as static ONNX graphs: one cell, or a whole window unrolled."""
