"""Which alpha to show, and how much the tokens are worth."""
