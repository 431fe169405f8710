"""Trains a reasoning model by a ReasoningTrainingJob: the data plane."""
