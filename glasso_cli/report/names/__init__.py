"""Short names of neurons and communities, made from the words at their strongest contexts, each with a held-out score."""

from glasso_cli.report.names.communities import name_communities
from glasso_cli.report.names.naming import Name
from glasso_cli.report.names.neurons import NeuronNames, name_neurons
from glasso_cli.report.names.of_corpora import material_of, names_of
from glasso_cli.report.names.peaks import Material, read_material

__all__ = [
    "Material", "Name", "NeuronNames", "material_of", "name_communities", "name_neurons", "names_of", "read_material",
]  # fmt: skip
