"""The second-order solver: levels of the penalty, a model for each step, and its products."""
