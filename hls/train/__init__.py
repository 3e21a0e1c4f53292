"""Training to the numeric contract: the cell, the loop, baselines, calibration, figures."""
