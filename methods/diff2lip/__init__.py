"""Diff2Lip: lower halves of faces from noise, by a diffusion network that hears and sees.

Card: README.md.
"""
