"""From a Keras or QKeras model to an integer bundle, through hls4ml and its C simulation."""
