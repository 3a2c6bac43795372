"""The runner: claims one attempt of a job, runs its program, reports what happens."""
