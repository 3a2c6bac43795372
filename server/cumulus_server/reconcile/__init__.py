"""Moves every job from its status to its target: the one place that acts on the world outside."""
