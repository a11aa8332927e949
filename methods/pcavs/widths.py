"""Channels of the published networks at a share of their width, for quick tests."""

from __future__ import annotations


def scaled(channels: int, width: float) -> int:
    """`channels` times the width, at least 1."""
    return max(1, round(channels * width))
