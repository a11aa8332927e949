"""Trainings at full width on a GPU that is lent for a quarter of an hour, to a machine without net.

`pack` writes what is to be carried there; `run` trains there and brings the results back.
"""
