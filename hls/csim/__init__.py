"""C simulation of a bundle: the hls4ml project, its types read back, compiled by g++, driven with raw integers."""
