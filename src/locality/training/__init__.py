"""Training of independent shards: losses, engine and executors."""
