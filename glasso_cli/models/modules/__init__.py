"""Networks that are any torch.nn.Module: their code, their weights, and what identifies both."""
