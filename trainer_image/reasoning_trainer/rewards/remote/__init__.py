"""Rewards that others compute."""
