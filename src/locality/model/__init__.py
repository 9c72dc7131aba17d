"""The fitted model: everything that was learned, how columns lie in it, what it was asked for."""
