"""How runners in containers reach the relay: listeners of their own, with the runners' routes only."""
