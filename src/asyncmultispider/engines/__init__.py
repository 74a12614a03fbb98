"""Engines move requests and outcomes, and decide nothing."""
