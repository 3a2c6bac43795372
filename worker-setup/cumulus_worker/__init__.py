"""What runs on a worker: the daemon that holds bookings of GPU shares, its command line, and the probe.

Python 3.10 and its standard library are enough; chronos-gpu and an NVIDIA driver are used where they are.
"""

__version__ = "0.1.0"
