"""A fit of many sparse neurons, without a matrix of all pairs."""
