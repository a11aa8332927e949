"""Networks that plugins share, and what goes into them and comes out of them."""
