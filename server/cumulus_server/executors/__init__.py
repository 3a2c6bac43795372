"""How instances that run jobs are started, watched and ended. Executors know nothing of the store."""
