"""How a share of a GPU is booked on its worker, and what is given to the job so that it holds."""
