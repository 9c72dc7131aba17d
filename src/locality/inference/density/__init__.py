"""How surprising values are, and how likely rows."""
