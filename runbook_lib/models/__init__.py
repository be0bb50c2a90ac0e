"""Frozen models and enums that cross a boundary."""
