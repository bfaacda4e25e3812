"""Any torch.nn.Module as a network that can be read, and how a configuration makes one."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import GlassoError, InputError, ServiceError
from glasso_cli.models.load import choose_device
from glasso_cli.models.modules.code import code_digest, errors_of_code, load_name
from glasso_cli.models.modules.weights import load_state, weights_file

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from glasso_cli.config import ModelSection
    from glasso_cli.models.layers import LayerStack


_SHAPES = {
    "torch": "Check the shape and the type of the data; model.adapter turns a batch into the arguments of the network.",
    "image": "Check the shape of the data: a model of images reads (channels, height, width), mostly of one size.",
    "audio": "Check the shape of the data: recordings have one axis, and features have those that the model's own extractor "
    "gives.",
}


@dataclass(frozen=True, eq=False)
class ModuleBatch:
    """Documents for one pass: ``values (b, …)`` padded at the end, and their ``lengths (b,)``."""

    values: Tensor
    lengths: Tensor


def values_alone(values: Tensor, lengths: Tensor) -> Any:
    """The adapter where none is given: the values are the one argument."""
    return values


@dataclass(frozen=True, eq=False)
class ModuleNetwork:
    """A module in eval mode, with the function that turns a batch into its arguments.

    ``adapter(values, lengths)`` gives a tensor, a tuple of arguments, or a dict of keyword arguments. ``prepare`` is
    applied to each document before batches are made. ``kind`` is ``torch``, or ``image`` or ``audio`` for a model of
    transformers, whose ``stack`` holds the layers that short forms name, if they can be told apart. Its adapter gives
    keyword arguments under ``input_name``. ``notes`` say what was decided in loading. Both implementations of
    :class:`glasso_cli.models.network.Network` are read in the same way.
    """

    module: nn.Module
    device: torch.device
    adapter: Callable[[Tensor, Tensor], Any] = values_alone
    prepare: Callable[[Any], Any] | None = None
    name: str = "module"
    dtype: str = "float32"
    kind: str = "torch"
    stack: LayerStack | None = None
    input_name: str = ""
    notes: tuple[str, ...] = ()

    @property
    def n_layers(self) -> int:
        """That of the stack, or one more than the largest number in the names of the modules that a hook point could name."""
        if self.stack is not None:
            return len(self.stack.layers)
        layers = [self.layer_of(name) for name, _ in self.module.named_modules()]
        return max((layer + 1 for layer in layers if layer is not None), default=0)

    def layer_of(self, module: str) -> int | None:
        """The layer in the stack, or the first number in the name of a module, as in ``blocks.3.conv``; None without one."""
        if self.stack is not None:
            return self.stack.layer_of(module)
        found = re.search(r"(?:^|\.)(\d+)(?:\.|$)", module)
        return int(found[1]) if found else None

    def run(self, batch: ModuleBatch) -> Any:
        """The output for a batch; arithmetic is float32, also inside matrix products and convolutions."""
        import torch

        with torch.inference_mode():
            return self.run_with_gradients(batch)

    def run_with_gradients(self, batch: ModuleBatch) -> Any:
        """As :meth:`run`, in whichever mode of autograd is set."""
        args, kwargs = self.arguments(batch)
        with exact_float32():
            return self.module(*args, **kwargs)

    def arguments(self, batch: ModuleBatch) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the module is called with for a batch: arguments by place and by name, on its device."""
        given = self.adapter(batch.values.to(self.device), batch.lengths.to(self.device))
        args = given if isinstance(given, tuple) else () if isinstance(given, Mapping) else (given,)
        kwargs = dict(given) if isinstance(given, Mapping) else {}
        return _moved(args, self.device), _moved(kwargs, self.device)

    def inputs_of_one(self, batch: ModuleBatch) -> dict[str, Any]:
        """The arguments by name for the first document of a batch, without padding."""
        length = int(batch.lengths[0])
        return self.arguments(ModuleBatch(batch.values[:1, :length], batch.lengths[:1]))[1]

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what the code of the module raises into :class:`InputError`, and a lack of memory into :class:`ServiceError`."""
        import torch

        try:
            yield
        except GlassoError:
            raise
        except (MemoryError, torch.cuda.OutOfMemoryError) as error:
            raise ServiceError(
                "The network does not fit into the memory that is free.",
                "Set collect.batch_tokens to a smaller number, or model.device: cpu.",
            ) from error
        except Exception as error:  # code of others, which can raise anything
            said = " ".join(str(error).split())[:300]
            raise InputError(
                f"The network '{self.name}' fails on a batch: {type(error).__name__}: {said}", _SHAPES[self.kind]
            ) from error


def load_network(section: ModelSection, seed: int) -> ModuleNetwork:
    """The network that a section of kind torch describes; ``seed`` draws the weights that no file gives.

    Raises :class:`InputError` for code that cannot be imported or fails, for what is no module, for weights that do not
    fit, and for ScriptModules, whose parts cannot be read.
    """
    import torch

    name = str(section.target)
    device = choose_device(section.device)
    factory = load_name(name, "model.target")
    if not callable(factory):
        raise InputError(f"model.target: '{name}' is no function or class.", "Name one that gives a torch.nn.Module.")
    torch.manual_seed(seed)
    with errors_of_code(name, "model.target"):
        made = factory(**copy.deepcopy(section.args))
    module, prepare = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(module, torch.nn.Module) or not (prepare is None or callable(prepare)):
        raise InputError(
            f"model.target: '{name}' gives {type(made).__name__}, which is no torch.nn.Module.",
            "Name a function that gives a module, or a module and a function that prepares a document.",
        )
    _refuse_unreadable(module)
    if section.weights is not None:
        load_state(module, weights_file(section.weights))
    adapter = values_alone if section.adapter is None else load_name(section.adapter, "model.adapter")
    return network_of(module, adapter, device=device, prepare=prepare, name=section.name)


def network_of(
    module: nn.Module,
    adapter: Callable[[Tensor, Tensor], Any] = values_alone,
    *,
    device: torch.device | None = None,
    prepare: Callable[[Any], Any] | None = None,
    name: str = "module",
) -> ModuleNetwork:
    """A module as a network, moved to ``device``, in eval mode, without gradients and in float32."""
    import torch

    _refuse_unreadable(module)
    device = device or next((item.device for item in module.parameters()), torch.device("cpu"))
    module = module.to(device=device, dtype=torch.float32).eval().requires_grad_(False)
    return ModuleNetwork(module, device, adapter, prepare, name)


@contextmanager
def network_in_memory(
    module: nn.Module, adapter: Callable[[Tensor, Tensor], Any], prepare: Callable[[Any], Any] | None
) -> Iterator[ModuleNetwork]:
    """A module in eval mode inside the block, where it is; or a copy, if a hook point could take recurrent layers apart.

    Raises :class:`InputError` for weights that are not float32.
    """
    import torch

    _refuse_unreadable(module)
    other = next(
        (item for item in module.parameters() if item.is_floating_point() and item.dtype != torch.float32), None
    )
    if other is not None:
        raise InputError(
            f"The module has weights of {str(other.dtype).removeprefix('torch.')}.",
            "Give a float32 copy: module.float().",
        )
    device = next((item.device for item in module.parameters()), torch.device("cpu"))
    if any(isinstance(part, torch.nn.RNNBase) for part in module.modules()):
        module = copy.deepcopy(module)
    modes = {part: part.training for part in module.modules()}
    try:
        yield ModuleNetwork(module.eval(), device, adapter, prepare, type(module).__name__)
    finally:
        for part, mode in modes.items():
            part.training = mode


def network_digest(section: ModelSection) -> dict[str, str]:
    """What pins a network of kind torch in a cache key: the digests of its code and of its weights."""
    from glasso_cli.digests import file_digests

    pins = {"source": "module", "code": code_digest(str(section.target), "model.target")}
    if section.adapter is not None:
        pins["adapter"] = code_digest(section.adapter, "model.adapter")
    if section.weights is not None:
        pins["weights"] = file_digests([weights_file(section.weights)])[0]
    return pins


@contextmanager
def exact_float32() -> Iterator[None]:
    """Neither TF32 nor the fused path of transformer layers, which skips hooks, inside the block."""
    import torch

    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, cudnn
        torch.backends.mha.set_fastpath_enabled(fused)


def _refuse_unreadable(module: nn.Module) -> None:
    """Raise :class:`InputError` for parts of TorchScript, and for weights that have no shape yet."""
    import torch

    for name, weight in module.named_parameters():
        if torch.nn.parameter.is_lazy(weight):
            raise InputError(
                f"'{name}' has no shape before the first pass.", "Run the module once in the function that makes it."
            )
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise InputError(
                f"'{name or type(module).__name__}' is a ScriptModule, whose parts cannot be read.",
                "Give the module as it was before torch.jit.",
            )


def _moved(value: Any, device: torch.device) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, tuple | list):
        moved = [_moved(item, device) for item in value]
        return type(value)(*moved) if hasattr(value, "_fields") else type(value)(moved)
    return {name: _moved(item, device) for name, item in value.items()} if isinstance(value, dict) else value
