"""What one neuron does to another: the expected derivative of all pairs of neurons of neighbouring layers, with errors."""
