"""One pass of a model over a corpus, and the sums it keeps for each block of documents."""
