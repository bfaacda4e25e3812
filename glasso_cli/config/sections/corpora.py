"""The section `corpora`: the texts, arrays or images to study."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from glasso_cli.config.sections.section import Section, runtime
from glasso_cli.config.sections.values import CodeName, Numbers, Paths, PathText

TEXT_SOURCES = ("dataset", "files", "topic")  # for language models
ARRAY_SOURCES = ("arrays", "images", "module")  # for networks that read no texts
_DATASET_ONLY = ("config", "split", "revision", "streaming")
IMAGES_ONLY = ("resize", "crop", "channels", "mean", "std")
_BELONGS = {
    "dataset": (*_DATASET_ONLY, "text", "image"),
    "files": ("lines", "text"),
    "images": IMAGES_ONLY,
}


class CorpusSection(Section):
    """One corpus. Exactly one source is given: dataset, files or topic for texts; arrays, images or module for networks that read no texts."""

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
    image: str | None = Field(
        default=None,
        description="For dataset: name of the column that holds images. The images are the documents then, and no texts are read.",
        min_length=1,
    )
    topic: str | None = Field(
        default=None, description="A topic, such as climate change. The section synth says who writes the texts."
    )
    arrays: PathText | None = Field(
        default=None,
        description="A .npy file with one document in each row, for a model of images or sounds or for model.kind torch; or an .npz file with values, and optional "
        "documents (whose rows belong together), lengths (of padded sequences) and symbols (what whole numbers stand for).",
    )
    images: PathText | None = Field(
        default=None,
        description="A folder of images, for a model of images or for model.kind torch. Each image is a document, in the order of their "
        "names. A model of kind hf prepares them by its preprocessor_config.json, unless one of the next five keys is given.",
    )
    resize: int | None = Field(
        default=None,
        description="For images, in a folder or a dataset: length of the shorter side in pixels; null keeps it.",
        ge=1,
        le=2**16,
    )
    crop: int | None = Field(
        default=None,
        description="For images: side of the square that is cut from the middle; null cuts nothing.",
        ge=1,
        le=2**16,
    )
    channels: Literal[1, 3] = Field(default=3, description="For images: 3 reads colours, 1 reads grey values.")
    mean: Numbers = Field(
        default=(0.0,),
        description="For images: subtracted from the values, which run from 0 to 1; one number, or one per channel.",
        min_length=1,
    )
    std: Numbers = Field(
        default=(1.0,),
        description="For images: what the values are then divided by; one number, or one per channel.",
        min_length=1,
    )
    module: CodeName | None = Field(
        default=None,
        description="For networks that read no texts: Python code that gives the documents, as package.module:name: an iterable, or a function "
        "that returns one. It gives arrays, or pairs of an array and the name of its document.",
    )
    max_documents: int | None = Field(
        default=None, description="Read at most this many documents; null reads all.", ge=1, le=10**12
    )

    @model_validator(mode="after")
    def _one_source(self) -> CorpusSection:
        given = [name for name in (*TEXT_SOURCES, *ARRAY_SOURCES) if getattr(self, name) is not None]
        if len(given) != 1:
            sources = " and ".join(given) if given else "none of them"
            raise ValueError(
                f"give exactly one of dataset, files, topic (texts) or arrays, images, module (other networks); this has {sources}"
            )
        if self.topic is not None and not self.topic.strip():
            raise ValueError("topic is empty; write what the texts should be about")
        if self.files is not None and not self.files:
            raise ValueError("files is empty; name at least one file")
        belongs = _BELONGS.get(given[0], ())
        if given[0] == "dataset" and self.image is not None:
            if "text" in self.model_fields_set:
                raise ValueError("a corpus has texts or images; delete text or image")
            belongs = (*belongs, *IMAGES_ONLY)
        for name in (*_DATASET_ONLY, "lines", "text", "image", *IMAGES_ONLY):
            if name in self.model_fields_set and name not in belongs:
                raise ValueError(f"{name} has no effect on a corpus given as {given[0]}; delete it")
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, self.channels):
                raise ValueError(f"{name} has {len(getattr(self, name))} numbers; give 1 or {self.channels}")
        if not all(value > 0 for value in self.std):
            raise ValueError("std has a number that is not positive; values are divided by it")
        return self

    @property
    def is_prepared(self) -> bool:
        """Whether a key of its own says how its images are prepared."""
        return not self.model_fields_set.isdisjoint(IMAGES_ONLY)

    @property
    def has_texts(self) -> bool:
        """Whether the documents are texts."""
        return self.source in TEXT_SOURCES and self.image is None

    @property
    def source(self) -> str:
        """The key that says where the documents come from."""
        return next(name for name in (*TEXT_SOURCES, *ARRAY_SOURCES) if getattr(self, name) is not None)
