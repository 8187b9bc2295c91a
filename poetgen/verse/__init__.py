"""What poems are made of; knows nothing of networks."""
