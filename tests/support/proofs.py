"""Proofs of hook points that use nothing of the package's own: the graph of autograd, and what other modules read.

That a tensor holds neurons is read off the graph: from the tensor back to linear modules there is an activation
function, and nothing that mixes tokens or neurons. A head has gradients in its own part of the attention only. What a
mixer gives has gradients in earlier tokens, without a softmax. That a tensor is the residual stream is seen by what
reads it: the next layer, or the final norm. The neurons of an expert are what the network's own loop over experts
multiplies with the weights of that expert.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from glasso_cli.hooks import HookPoint

IDS = torch.tensor([[7, 20, 31, 44, 52, 9, 61, 73, 11]])  # one text, without padding
MANY = torch.arange(5, 50)[None]  # so many that every expert sees some

LINEAR = re.compile(r"(Addmm|Mm|Linear)Backward")
ACTIVATION = re.compile(
    r"(Gelu|GeLUFunction|Silu|Relu|LeakyRelu|Tanh|Sigmoid|Erf|Hardtanh|Hardswish|Hardsigmoid|Mish|Softplus|Elu|XIELU|PreluKernel)\w*Backward"
)
ELEMENTWISE = re.compile(
    r"(View|Reshape\w*|UnsafeView|Split\w*|Slice|Select|Unbind|Transpose|T|Permute|Clone|Alias|Mul|Add|Sub|Div|Pow|Neg|"
    r"ToCopy|Expand|Unsqueeze|Squeeze|Clamp\w*|Where|Exp|Expm1|Minimum|torch::autograd::AccumulateGrad)(Backward|$)"
)
NORM = re.compile(r"(Mean|Rsqrt)Backward")  # one number for each token (BitNet)
LINEAR_OR_EXPERT = re.compile(r"(Addmm|Mm|Linear|Bmm)Backward")  # Llama 4 multiplies with all experts at once
SOFTMAX = re.compile(r"(\w*Softmax|ScaledDotProduct\w*)Backward")


def prove(model: Any, point: HookPoint) -> None:
    """Fail unless ``point``, which a short form gave, is what the form says."""
    {
        "mlp": prove_neurons,
        "head": prove_heads,
        "mixer": prove_mixer,
        "expert": prove_expert,
        "resid": prove_residual,
    }[point.kind or ""](model, point)


# -- neurons --------------------------------------------------------------------------------------


def prove_neurons(model: Any, point: HookPoint) -> None:
    """From the tensor back to linear modules there is an activation function, and nothing but elementwise steps."""
    assert f".{point.layer}." in point.name or point.run == (point.layer or 0) + 1
    # Reformer runs its layers without gradients.
    around = [module for name, module in model.named_modules() if f".{point.layer}." in name and name in point.module]
    handles = [module.register_forward_pre_hook(lambda *_: with_graph()) for module in around]
    tensor = own_tensor(model, point)
    for handle in handles:
        handle.remove()
    require_activated(tensor, LINEAR)


def require_activated(tensor: torch.Tensor, linear: re.Pattern[str]) -> None:
    """Fail unless ``tensor`` follows from linear modules by an activation function and elementwise steps."""
    nodes = [node.name() for node in nodes_before(tensor, linear)]
    assert [name for name in nodes if linear.match(name)]
    assert [name for name in nodes if ACTIVATION.match(name)]
    known = (linear, ACTIVATION, ELEMENTWISE, NORM)
    assert [name for name in nodes if not any(kind.match(name) for kind in known)] == []


def with_graph() -> None:
    """Turn gradients on."""
    torch.set_grad_enabled(True)


def nodes_before(tensor: torch.Tensor, *stops: re.Pattern[str]) -> list[Any]:
    """The steps that made ``tensor``, back to the nearest that ``stops`` name."""
    found, waiting, seen = [], [tensor.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        found.append(node)
        if not any(kind.match(node.name()) for kind in stops):
            waiting += [before for before, _ in node.next_functions]
    return found


def own_tensor(model: Any, point: HookPoint, call: Callable[..., Any] | None = None) -> torch.Tensor:
    """What a hook of the test's own sees at ``point``, with its graph."""
    kept: list[torch.Tensor] = []

    def keep_input(module: Any, args: Any, kwargs: Any) -> None:
        kept.append(args[0] if args else next(iter(kwargs.values())))

    def keep_output(module: Any, args: Any, output: Any) -> None:
        kept.append(first(output))

    module = model.get_submodule(point.module)
    if point.side == "in":
        handle = module.register_forward_pre_hook(keep_input, with_kwargs=True)
    else:
        handle = module.register_forward_hook(keep_output)
    try:
        run(model, call)
    finally:
        handle.remove()
    assert len(kept) == 1 or point.run is not None
    return kept[(point.run or 1) - 1]


def run(model: Any, call: Callable[..., Any] | None = None, ids: torch.Tensor = IDS) -> Any:
    """One pass over ``ids``."""
    cached = "use_cache" in inspect.signature(model.forward).parameters
    return (call or model)(input_ids=ids, **({"use_cache": False} if cached else {}))


# -- heads ----------------------------------------------------------------------------------------


def prove_heads(model: Any, point: HookPoint) -> None:
    """A token's part of one head has gradients in this head and token of the attention, and in no other."""
    tensor = own_tensor(model, point)
    nodes = nodes_before(tensor, LINEAR, SOFTMAX)
    attention = [node for node in nodes if SOFTMAX.match(node.name())]
    assert attention
    normed = any(node.name().startswith("Rsqrt") for node in nodes)
    rows = tensor.reshape(IDS.shape[1], -1)
    heads = point.heads or 0
    assert heads
    assert rows.shape[1] == point.width
    arrived: list[torch.Tensor] = []
    handles = [node.register_prehook(lambda grads: arrived.append(grads[0])) for node in attention]
    for head, part in enumerate(rows.chunk(heads, dim=1)):
        for token in (2, 6):
            arrived.clear()
            part[token].sum().backward(retain_graph=True)
            assert len(arrived) == len(attention)
            for gradient in arrived:
                sizes_at = reached(gradient)
                if normed:  # over all heads of a token (BitNet): the others change its scale only
                    assert {place for _, place in sizes_at} == {token}
                    assert max(sizes_at, key=lambda place: sizes_at[place]) == (head, token)
                else:
                    assert set(sizes_at) == {(head, token)}
    for handle in handles:
        handle.remove()
    model.zero_grad()


def reached(gradient: torch.Tensor, time: int = IDS.shape[1]) -> dict[tuple[int, int], float]:
    """The heads and tokens at which ``gradient`` of an attention is not zero, with its size there."""
    axes = [axis for axis, size in enumerate(gradient.shape[:-1]) if size == time]
    moved = gradient.abs().sum(-1).movedim(axes[-1], -1).reshape(-1, time)
    return {(int(head), int(token)): float(moved[head, token]) for head, token in moved.nonzero().tolist()}


def prove_self_attention(model: Any, point: HookPoint, *, joined: bool) -> None:
    """In a decoder, other states of the encoder change a layer but not its heads; ``joined``: one attention sees both."""
    layer = model.get_submodule(re.match(rf".*?\.{point.layer}(?=\.)", point.module)[0])  # type: ignore[index]
    left: list[torch.Tensor] = []
    with torch.no_grad():
        keep = layer.register_forward_hook(lambda *args: left.append(first(args[-1])))
        before = own_tensor(model, point)
        other = layer.register_forward_pre_hook(of_other_texts, with_kwargs=True)
        after_change = own_tensor(model, point)
    keep.remove()
    other.remove()
    assert not equal(left[0], left[1])
    assert equal(before, after_change) is not joined


def of_other_texts(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """The arguments of a layer with other numbers for the tokens of the encoder, of which there is one fewer."""

    def changed(value: Any) -> Any:
        theirs = isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim == 3
        return value.flip(-1) if theirs and value.shape[1] == IDS.shape[1] - 1 else value

    return tuple(map(changed, args)), {name: changed(value) for name, value in kwargs.items()}


# -- mixers ---------------------------------------------------------------------------------------


def prove_mixer(model: Any, point: HookPoint) -> None:
    """The last token has gradients in earlier ones without a softmax, and the module's output joins the stream as it is."""
    layer = model.get_submodule(re.match(rf".*?\.{point.layer}(?=\.)", point.module)[0])  # type: ignore[index]
    projection = model.get_submodule(point.module)
    given: list[torch.Tensor] = []
    made: list[torch.Tensor] = []
    left: list[torch.Tensor] = []

    def keep(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.requires_grad:
            output.retain_grad()
            (made if module is projection else given).append(output)

    kept = [module for module in layer.modules() if not list(module.children())]
    handles = [module.register_forward_hook(keep, with_kwargs=True) for module in kept]
    handles.append(layer.register_forward_hook(lambda *args: left.append(first(args[-1]))))
    tensor = own_tensor(model, point)
    for handle in handles:
        handle.remove()
    nodes = nodes_before(tensor, LINEAR)
    assert not [node.name() for node in nodes if SOFTMAX.match(node.name())]
    tensor.reshape(IDS.shape[1], -1)[-1].sum().backward(retain_graph=True)
    assert any(bool(earlier(item.grad).any()) for item in given if item.grad is not None)
    before = nodes_before(made[0], LINEAR)
    reaching = nodes_before(left[0], LINEAR)
    assert [node for node in before if LINEAR.match(node.name()) and node in reaching]
    model.zero_grad()


def first(output: Any) -> torch.Tensor:
    """The first tensor of what a module gives."""
    made: torch.Tensor = output if isinstance(output, torch.Tensor) else output[0]
    return made


def earlier(gradient: torch.Tensor) -> torch.Tensor:
    """That of the tokens before the last one."""
    time = IDS.shape[1]
    axis = next((axis for axis, size in enumerate(gradient.shape) if size == time), None)
    return gradient.new_zeros(1) if axis is None else gradient.movedim(axis, 0)[:-1]


# -- experts --------------------------------------------------------------------------------------


class Products(TorchFunctionMode):
    """Keeps what is multiplied with the part of ``weights`` that belongs to one expert."""

    def __init__(self, weights: torch.Tensor, expert: int) -> None:
        super().__init__()
        self.weights, self.expert = weights, expert
        self.kept: list[torch.Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [item for item in args if isinstance(item, torch.Tensor)]
        if getattr(func, "__name__", "") in ("linear", "matmul", "__matmul__", "bmm", "mm") and len(tensors) > 1:
            weight, own = tensors[1], self.weights[self.expert]
            if weight.numel() == own.numel() and weight.data_ptr() == own.data_ptr():
                self.kept.append(tensors[0])
            elif weight.numel() == self.weights.numel() and weight.data_ptr() == self.weights.data_ptr():
                self.kept.append(tensors[0][self.expert])
        return func(*args, **(kwargs or {}))


def prove_expert(model: Any, point: HookPoint) -> None:
    """What the network's loop over experts multiplies with the expert's weights: neurons, and those that were recorded."""
    from glasso_cli.hooks import record

    module = model.get_submodule(point.module)
    with eager_experts(module), Products(module.down_proj, point.expert or 0) as products:
        run(model, ids=MANY)
    (own,) = products.kept
    require_activated(own, LINEAR_OR_EXPERT)
    own = own[own.any(dim=-1)].detach().unique(dim=0)  # Llama 4 takes zeros for tokens that are not routed
    with record(model, [point]) as recorder:
        (recorded,) = recorder.run(MANY)
        unrouted = recorder.unrouted
    assert unrouted is not None
    assert not recorded[unrouted].any()
    rows = recorded[~unrouted]
    assert len(rows) == len(own) > 0
    distances = torch.cdist(rows.double(), own.double())
    assert bool((distances.min(dim=1).values <= 1e-5 * rows.norm(dim=1)).all())
    assert len(set(distances.argmin(dim=1).tolist())) == len(own)


@contextmanager
def eager_experts(module: Any) -> Iterator[None]:
    """The network's own loop over its experts, in the block."""
    config = getattr(module, "config", None)
    before = getattr(config, "_experts_implementation", None)
    if before is not None:
        config._experts_implementation = "eager"  # type: ignore[union-attr]
    try:
        yield
    finally:
        if before is not None:
            config._experts_implementation = before  # type: ignore[union-attr]


# -- the residual stream --------------------------------------------------------------------------


def prove_residual(model: Any, point: HookPoint) -> None:
    """It is a hidden state that the model names, and what the next layer reads; the last may be normed in between."""
    states: list[torch.Tensor] = []
    layer = point.layer or 0

    def call(**inputs: Any) -> None:
        states.extend(model(**inputs, output_hidden_states=True).hidden_states)

    with torch.no_grad():
        values = own_tensor(model, point, call)
        following = list(after(model, point, layer))
        if not following:
            assert equal(values, states[-1]) or is_normed(model, values, states[-1])
            return
        assert any(equal(values, state) for state in states)
        read: list[Any] = []
        handles = [
            module.register_forward_pre_hook(lambda _, a, k: read.extend([*a, *k.values()]), with_kwargs=True)
            for module in following
        ]
        values = own_tensor(model, point)
        for handle in handles:
            handle.remove()
        assert any(equal(tensor, values) for tensor in read)


def after(model: Any, point: HookPoint, layer: int) -> Iterator[Any]:
    """The modules that can be the next layer: the same list's, one of a list beside it, or the same module again."""
    lists, _, place = point.module.rpartition(".")
    if point.run is not None:
        if point.run < model.config.num_hidden_layers:
            yield model.get_submodule(point.module)
        return
    parent = re.escape(f"{lists.rpartition('.')[0]}.") if "." in lists else ""
    for name, module in model.named_modules():
        if re.fullmatch(rf"{parent}\w+\.{int(place) + 1}", name):
            yield module


def is_normed(model: Any, values: torch.Tensor, state: torch.Tensor) -> bool:
    """Whether some module of ``model`` turns ``values`` into ``state``."""
    for module in model.modules():
        if not list(module.children()) and sum(p.numel() for p in module.parameters()) in (0, *sizes(values)):
            try:
                made = module(values)
            except Exception:  # it takes something else
                continue
            if equal(made, state):
                return True
    return False


def sizes(values: torch.Tensor) -> tuple[int, int]:
    """How many parameters a norm has."""
    return values.shape[-1], 2 * values.shape[-1]


def equal(values: Any, state: torch.Tensor) -> bool:
    """Whether ``values`` is a tensor like ``state``, but for the order of sums."""
    if not isinstance(values, torch.Tensor) or values.shape != state.shape:
        return False
    return bool((values - state).norm() <= 1e-5 * state.norm())
