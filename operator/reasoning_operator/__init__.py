"""The control plane: follows ReasoningTrainingJobs and runs a batch/v1 Job for each."""
