"""Reads answers that were collected elsewhere: tables of other tools, explained by a mapping."""
