"""Integer features, labels and data sets."""
