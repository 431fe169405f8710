"""What lies on disk: the run's folder, checkpoints, fingerprints, model files, caches."""
