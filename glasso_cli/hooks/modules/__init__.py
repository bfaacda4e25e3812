"""Hook points of any torch.nn.Module: their names and axes, borders of images, and what must hold there."""
