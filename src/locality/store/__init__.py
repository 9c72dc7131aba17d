"""Fitted state on disk: content-addressed shards and a manifest."""
