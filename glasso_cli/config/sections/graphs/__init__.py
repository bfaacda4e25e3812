"""The sections of stages that go on from a graph: structure and pathways."""
