"""From samples to features: bin, smooth, lag, standardise, filter, band power."""
