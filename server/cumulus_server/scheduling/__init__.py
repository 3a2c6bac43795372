"""Who goes where: capacity, the waiting line, and the plan. No input or output of its own."""
