"""Pages: plain rows as HTML and pictures, in both languages; nothing here knows what made them."""
