"""What speaks for an anomaly beside the networks' own map."""
