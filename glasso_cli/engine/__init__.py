"""Cores, memory, threads and processes."""
