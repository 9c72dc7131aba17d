"""Local denoisers: patches, the Gaussian closed form, stacked networks and the score field."""
