"""C simulation of a bundle: an hls4ml project, read back, compiled by g++, driven with raw integers."""
