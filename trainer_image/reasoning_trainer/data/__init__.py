"""Rows: where they are read from, what their columns mean, and what may be trained on or is held out."""
