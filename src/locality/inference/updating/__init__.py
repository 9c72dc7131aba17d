"""Learning again: what has drifted, what is accepted, sensors that come and go."""
