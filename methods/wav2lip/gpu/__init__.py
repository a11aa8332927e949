"""Trainings at full width in a quarter of an hour, on a GPU machine without internet access.

`pack` writes the files to transfer; `run` trains on that machine and collects the results.
"""
