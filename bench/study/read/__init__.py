"""Answers that were collected elsewhere: tables of other tools, read by a mapping."""
