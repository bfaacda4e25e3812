"""Effects that were measured, and how well other numbers predict them."""
