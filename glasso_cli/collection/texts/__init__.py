"""What is only for texts: a language model and the windows of tokens that it reads."""
