"""The joint graphical lasso: several corpora fitted at once, with a certificate."""
