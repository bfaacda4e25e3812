"""Error bars, false discovery rates, selection of alpha and resampling: arrays in, arrays out."""
