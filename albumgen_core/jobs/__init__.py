"""The contract for a job, between client and worker and on disk."""
