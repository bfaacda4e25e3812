"""How much a scalar of the network's output depends on each neuron: attribution, exact ablation, and curves that judge both."""
