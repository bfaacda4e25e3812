"""One corpus fitted: the path of alphas, the selected one, and a test of every edge."""
