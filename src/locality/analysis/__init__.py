"""Does locality hold in these data, how far, at what price? Reports before and after a fit."""
