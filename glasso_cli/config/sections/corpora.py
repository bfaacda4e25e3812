"""The section `corpora`: the texts that are studied."""

from __future__ import annotations

from pydantic import Field, model_validator

from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import Strings

_DATASET_ONLY = ("config", "split", "revision", "streaming")


class CorpusSection(Section):
    """One body of text: a hub dataset, local files, or a topic."""

    dataset: str | None = Field(default=None, description="Hub id of a dataset.")
    config: str | None = Field(default=None, description="Configuration (subset) of the hub dataset.")
    split: str = Field(default="train", description="Split of the hub dataset.")
    revision: str | None = Field(
        default=None, description="Branch, tag or commit of the hub dataset; null means its main branch."
    )
    streaming: bool = runtime(False, "Read the hub dataset as a stream instead of downloading it.")
    files: Strings | None = Field(
        default=None,
        description="Local .txt, .jsonl, .csv or .parquet files; patterns such as texts/*.jsonl.",
    )
    lines: bool = Field(
        default=False, description="In .txt files every line is a document; otherwise every file is one."
    )
    text: str = Field(default="text", description="Column that holds the text.")
    topic: str | None = Field(default=None, description="A topic, such as 'climate change'.")
    max_documents: int | None = Field(default=None, description="Read at most so many documents; null reads all.", ge=1)

    @model_validator(mode="after")
    def _one_source(self) -> CorpusSection:
        given = [name for name in ("dataset", "files", "topic") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "none of them"
            raise ValueError(f"give exactly one of dataset, files, topic; this has {found}")
        if self.topic is not None and not self.topic.strip():
            raise ValueError("topic is empty; write what the texts are to be about")
        if self.files is not None and not self.files:
            raise ValueError("files is empty; name at least one file")
        belongs = {"dataset": (*_DATASET_ONLY, "text"), "files": ("lines", "text"), "topic": ()}[given[0]]
        for name in (*_DATASET_ONLY, "lines", "text"):
            if name in self.model_fields_set and name not in belongs:
                raise ValueError(f"{name} means nothing for a corpus given as {given[0]}; delete it")
        return self
