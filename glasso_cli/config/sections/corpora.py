"""The section `corpora`: the texts to study."""

from __future__ import annotations

from pydantic import Field, model_validator

from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import Paths, PathText

_DATASET_ONLY = ("config", "split", "revision", "streaming")


class CorpusSection(Section):
    """One corpus: a dataset on the hub, local files, or a topic. Exactly one of these three is given."""

    dataset: PathText | None = Field(
        default=None, description="Id of a dataset on the Hugging Face hub, such as stanfordnlp/imdb."
    )
    config: str | None = Field(
        default=None, description="For dataset: its configuration, also called subset; null means the default one."
    )
    split: str = Field(default="train", description="For dataset: its split.")
    revision: str | None = Field(
        default=None, description="For dataset: branch, tag or commit on the hub; null means the main branch."
    )
    streaming: bool = runtime(False, "For dataset: read it as a stream instead of downloading all of it.")
    files: Paths | None = Field(
        default=None,
        description="Local .txt, .jsonl, .csv or .parquet files, or patterns such as texts/*.jsonl.",
    )
    lines: bool = Field(
        default=False,
        description="For files: every line of a .txt file is a document; false makes every .txt file one document.",
    )
    text: str = Field(
        default="text", description="For dataset and files: name of the column or key that holds the text."
    )
    topic: str | None = Field(
        default=None, description="A topic, such as climate change. The section synth says who writes the texts."
    )
    max_documents: int | None = Field(
        default=None, description="Read at most this many documents; null reads all.", ge=1, le=10**12
    )

    @model_validator(mode="after")
    def _one_source(self) -> CorpusSection:
        given = [name for name in ("dataset", "files", "topic") if getattr(self, name) is not None]
        if len(given) != 1:
            sources = " and ".join(given) if given else "none of them"
            raise ValueError(f"give exactly one of dataset, files, topic; this has {sources}")
        if self.topic is not None and not self.topic.strip():
            raise ValueError("topic is empty; write what the texts should be about")
        if self.files is not None and not self.files:
            raise ValueError("files is empty; name at least one file")
        belongs = {"dataset": (*_DATASET_ONLY, "text"), "files": ("lines", "text"), "topic": ()}[given[0]]
        for name in (*_DATASET_ONLY, "lines", "text"):
            if name in self.model_fields_set and name not in belongs:
                raise ValueError(f"{name} has no effect on a corpus given as {given[0]}; delete it")
        return self
