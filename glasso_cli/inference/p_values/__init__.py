"""From statistics to p-values, and from those to false discovery rates."""
