"""What a GGUF file holds: metadata, and tensors dequantised to float32.

The format is a header of typed key-value pairs, a table of tensors and their raw blocks
(https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3). The header is read here because the
``gguf`` package makes one array object per vocabulary entry: 22 s against 0.3 s for the 262,144 tokens of
Gemma 3. The block formats are that package's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import gcd, prod
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError

if TYPE_CHECKING:
    import numpy as np

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
CONTROL, USER_DEFINED = 3, 4  # token types of a vocabulary
SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}


@dataclass(frozen=True)
class TensorEntry:
    """Where a tensor lies: its shape in row-major order, block format, and offset from the data section."""

    name: str
    shape: tuple[int, ...]
    block_type: int
    offset: int


@dataclass(frozen=True)
class GgufFile:
    """The metadata and the tensor table of a GGUF file, and its bytes."""

    metadata: dict[str, Any]
    tensors: tuple[TensorEntry, ...]
    data_start: int
    blob: bytes

    def dequantize(self, entry: TensorEntry) -> np.ndarray:
        """The values of one tensor as float32, of ``entry.shape``."""
        import numpy as np
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
        from gguf.quants import dequantize

        block_type = GGMLQuantizationType(entry.block_type)
        elements, n_bytes = GGML_QUANT_SIZES[block_type]
        count = prod(entry.shape) // elements * n_bytes
        raw = np.frombuffer(self.blob, np.uint8, count, self.data_start + entry.offset)
        # Blocks know nothing of rows; long ones are dequantised several times faster.
        long_rows = prod(entry.shape[:-1]) // gcd(prod(entry.shape[:-1]), 256)
        return dequantize(raw.reshape(long_rows, -1), block_type).reshape(entry.shape)

    def token(self, role: str) -> str:
        """The token of ``bos``, ``eos``, ``unknown`` or ``padding``."""
        token: str = self.metadata["tokenizer.ggml.tokens"][self.metadata[f"tokenizer.ggml.{role}_token_id"]]
        return token


def parse_gguf(blob: bytes) -> GgufFile:
    """The contents of a GGUF file given as bytes; :class:`InputError` when it is none, or cut short."""
    if blob[:4] != MAGIC:
        raise InputError("The model file is not GGUF: its first four bytes are not 'GGUF'.")
    reader = _Reader(blob, position=4)
    try:
        version = reader.scalar("I")
        if version not in VERSIONS:
            raise InputError(f"The model file is GGUF version {version}; versions 2 and 3 are read.")
        n_tensors, n_pairs = reader.scalar("Q"), reader.scalar("Q")
        if max(n_tensors, n_pairs) > len(blob):
            raise struct.error("more than fit into the file")
        metadata = {reader.string(): reader.value(reader.scalar("I")) for _ in range(n_pairs)}
        tensors = tuple(reader.tensor_entry() for _ in range(n_tensors))
    except (struct.error, UnicodeDecodeError, KeyError, TypeError, OverflowError, MemoryError, RecursionError) as error:
        raise InputError("The header of the GGUF file is damaged.") from error
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise InputError("The header of the GGUF file is damaged.")
    return GgufFile(metadata, tensors, -(-reader.position // alignment) * alignment, blob)


class _Reader:
    """A cursor over little-endian bytes."""

    def __init__(self, blob: bytes, position: int) -> None:
        self.blob = blob
        self.position = position

    def scalars(self, code: str, count: int) -> tuple[Any, ...]:
        if count > len(self.blob) - self.position:  # every scalar takes a byte or more
            raise struct.error("longer than the file")
        layout = struct.Struct(f"<{count}{code}")
        values = layout.unpack_from(self.blob, self.position)
        self.position += layout.size
        return values

    def scalar(self, code: str) -> Any:
        return self.scalars(code, 1)[0]

    def string(self) -> str:
        start = self.position + 8
        (length,) = struct.unpack_from("<Q", self.blob, self.position)
        if length > len(self.blob) - start:
            raise struct.error("longer than the file")
        self.position = start + length
        return self.blob[start : self.position].decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.scalar(SCALARS[kind])
        item, count = self.scalar("I"), self.scalar("Q")
        if count > len(self.blob) - self.position:
            raise struct.error("longer than the file")
        if item == STRING:
            return [self.string() for _ in range(count)]
        return list(self.scalars(SCALARS[item], count))

    def tensor_entry(self) -> TensorEntry:
        name = self.string()
        # The file stores dimensions fastest-moving first.
        shape = self.scalars("Q", self.scalar("I"))[::-1]
        return TensorEntry(name, shape, self.scalar("I"), self.scalar("Q"))
