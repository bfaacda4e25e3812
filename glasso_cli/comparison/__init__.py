"""Two or more corpora: which partial correlations differ, with errors, or all fitted at once."""
