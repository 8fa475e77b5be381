"""Channels of a network that can be cut out together, and the network without them."""
