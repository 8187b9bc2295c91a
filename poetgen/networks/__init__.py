"""Language models over recurrent cells, in numpy and in torch, and their file."""
