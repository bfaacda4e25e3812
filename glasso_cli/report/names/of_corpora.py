"""The names in a corpus, made once for each of its statistics in memory: a page and comparisons show the same ones."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from glasso_cli.artifacts import ActivationStats
from glasso_cli.report.names.neurons import NeuronNames, name_neurons
from glasso_cli.report.names.peaks import Material, read_material

_materials: WeakKeyDictionary[ActivationStats, Material] = WeakKeyDictionary()
_names: WeakKeyDictionary[ActivationStats, NeuronNames] = WeakKeyDictionary()


def material_of(stats: ActivationStats) -> Material:
    """What the names of a corpus are made from."""
    if stats not in _materials:
        _materials[stats] = read_material(stats)
    return _materials[stats]


def names_of(stats: ActivationStats) -> NeuronNames:
    """The names of all collected neurons of a corpus."""
    if stats not in _names:
        _names[stats] = name_neurons(material_of(stats))
    return _names[stats]
