"""hls4ml's own project of a bundle, for the vendor's high-level synthesis: what our RTL is compared with."""
