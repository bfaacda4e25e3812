"""How well scores of pairs predict measured effects, and later activations, with noise ceilings and intervals."""
