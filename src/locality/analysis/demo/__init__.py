"""The demo: a plant that comes with the package, fitted, drawn and scored."""
