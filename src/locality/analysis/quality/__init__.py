"""How well drawn rows stand for real ones."""
