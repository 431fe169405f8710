"""What a run says of itself: to the operator, to Prometheus, to people."""
