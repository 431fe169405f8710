"""What the operator and the trainer agree on: the spec, the progress document, the outcome and the status."""
