"""State dicts from files: safetensors, npz, and pickles of tensors alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.models.source import install_package, package_of, path_in_package

if TYPE_CHECKING:
    from torch import Tensor, nn

_PICKLES = (".pt", ".pth", ".bin", ".ckpt")
_INSIDE = ("state_dict", "model_state_dict", "model_state", "model")  # keys under which checkpoints keep the weights


def weights_file(name: str) -> Path:
    """The file that ``model.weights`` names: a path, or ``package:file``; :class:`InputError` where there is none."""
    path = Path(name).expanduser()
    package = None if path.exists() else package_of(name)
    if package is not None:
        inside = path_in_package(name)
        if inside is None:
            raise InputError(f"model.weights: the package '{package}' is not installed.", install_package(package))
        path = inside
    if not path.is_file():
        raise InputError(
            f"model.weights: there is no file {path}.", "Check the path; package:file is one in a package."
        )
    return path


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors in a file of weights, by name; :class:`InputError` for what is no state dict."""
    import numpy as np
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                state = {name: torch.from_numpy(arrays[name]) for name in arrays}
        elif path.suffix in _PICKLES:
            state = torch.load(path, map_location="cpu", weights_only=True)
        else:
            raise InputError(
                f"model.weights: {path.name} is of no known kind.", "Give .safetensors, .npz, or a pickle such as .pth."
            )
    except InputError:
        raise
    except Exception as error:  # a damaged file can fail in any way
        said = " ".join(str(error).split())[:200]
        advice = "Give a state dict, such as torch.save(module.state_dict(), path), or better a safetensors file."
        raise InputError(f"model.weights: {path.name} cannot be read as tensors alone: {said}", advice) from error
    return _flat(path, state)


def _flat(path: Path, state: Any) -> dict[str, Tensor]:
    import torch

    for key in _INSIDE:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
            break
    if not isinstance(state, dict) or not state or not all(isinstance(item, torch.Tensor) for item in state.values()):
        raise InputError(f"model.weights: {path.name} holds no state dict.", "Give one with a tensor for every name.")
    return {str(name): tensor for name, tensor in state.items()}


def load_state(module: nn.Module, path: Path) -> None:
    """Give ``module`` the weights in ``path``; :class:`InputError` unless every name and shape fits."""
    state = read_state(path)
    try:
        missing, unexpected = module.load_state_dict(state, strict=False)
    except RuntimeError as error:
        wrong = next((line.strip() for line in str(error).splitlines() if "size mismatch" in line), str(error))
        raise _misfit(module, path, " ".join(wrong.split())[:200].rstrip(".")) from error
    faults = [f"lacks '{name}'" for name in missing] + [f"has '{name}', which the module lacks" for name in unexpected]
    if faults:
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise _misfit(module, path, f"it {faults[0]}{more}")


def _misfit(module: nn.Module, path: Path, what: str) -> InputError:
    return InputError(
        f"model.weights: {path.name} does not fit '{type(module).__name__}': {what}.",
        "Give the weights of this network, or other model.args.",
    )
