"""The steps of ``setup-worker.sh`` for which Python is needed: ``python3 -m cumulus_worker.setup STEP``."""
