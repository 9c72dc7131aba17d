"""What a fit will cost, and the smallest group of columns with which it is worth trying."""
