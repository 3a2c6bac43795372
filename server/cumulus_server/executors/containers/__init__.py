"""What the executors of containers share: the engine's client, plans of containers, images, words."""
