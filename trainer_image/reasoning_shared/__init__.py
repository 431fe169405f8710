"""What the trainer, the demo and the client have in common: reading a manifest, and drawing a run."""
