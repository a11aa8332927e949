"""A study before anybody rates: what is shown, to whom, and how many raters it takes."""
