"""Report building: tables, statistics to show, templates, published numbers."""
