"""Laws of rows that a fitted model implies: conditional, sequential, posterior, truncated."""
