"""Evidence of an anomaly beside the paper's map, one file for each addition."""
