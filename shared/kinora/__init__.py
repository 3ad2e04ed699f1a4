"""Kinora: media uploads in, thumbnails and instantly playable adaptive streams out."""

__version__ = "0.1.0"
