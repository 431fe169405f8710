"""What the command line does: run a job, check one without training, evaluate models that are trained."""
