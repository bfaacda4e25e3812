"""Documents from the hub, from files and from topics, cut into windows of tokens."""
