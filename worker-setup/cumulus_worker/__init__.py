"""What runs on a worker: the daemon that holds bookings of GPU shares, its command line, and the probe."""
