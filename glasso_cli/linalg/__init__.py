"""Linear algebra on arrays: Cholesky factors, inverses, packed second moments, and sums over paths."""
