"""One pass of any torch.nn.Module over arrays: what it reads, its masks, and autocorrelation on grids."""
