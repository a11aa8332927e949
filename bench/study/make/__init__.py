"""Makes a study: which videos it shows, to which raters, and how many raters it needs."""
