"""Wrapping content keys: the protocol and its drivers."""
