"""The workers there are: what they have, who is on them, and whether a job can have a place."""
