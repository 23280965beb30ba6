"""Charts, heatmaps and pages: everything that a person looks at."""
