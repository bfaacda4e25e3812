"""Texts on a topic: the plan, who writes them, which are kept, and what they cost."""
