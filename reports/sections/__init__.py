"""The sections of the report's index page, one file each; `templates/sections/` renders them."""
