"""Builders of the child objects: pure functions from a job to the object that Kubernetes is asked for."""
