"""From a QKeras model to an integer bundle: training, conversion through hls4ml, checks."""
