"""Carry one infrastructure change through GitLab CI as a runbook of notebooks."""

__all__ = ["__version__"]

__version__ = "0.1.0"
