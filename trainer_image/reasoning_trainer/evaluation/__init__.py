"""What held-out rows prove: scores, gains, intervals."""
