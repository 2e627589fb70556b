"""Train a network; the only room that needs PyTorch (extra `train`)."""
