"""The same sums over values that are mostly zero, from those that are not."""
