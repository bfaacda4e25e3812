"""Linear algebra on arrays: Cholesky factors, inverses, and packed second moments."""
