"""Documents for networks of kind torch: written digits, words of the built-in texts, and computed sounds of voices."""
