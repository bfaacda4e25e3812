"""In every architecture, a short form reads the right tensor or is refused: none reads a wrong one without a word.

The proofs are of another kind than the package's. That a tensor holds neurons is read off the graph of autograd: from
the tensor back to linear modules there is an activation function, and nothing that mixes tokens or neurons. That a
tensor is the residual stream is seen by what reads it: the next layer, or the final norm.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from support.tiny_architectures import Architecture, architectures, tiny_model, word_tokenizer

from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, record, resolve_hook_points
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.loaded import LoadedModel, loaded_in_memory

pytestmark = pytest.mark.slow

TEXTS = ["w7 w20 w31 w44 w52 w9 w61 w73 w11 w80 w33 w12", "w8 w9 w40", "w10 w30 w20 w50 w60 w22 w45"]
IDS = torch.tensor([[7, 20, 31, 44, 52, 9, 61, 73, 11]])  # one text, without padding

# What transformers says where even a tiny model is too much, or where its own code fails.
CANNOT_BE_BUILT = {
    "blt-causal": "not tiny",
    "dbrx-causal": "rope_theta",
    "dots3_note-causal": "per_layer_config",
    "gemma3n-causal": "timm",
    "gemma4_assistant-causal": "hidden_size_per_layer_input must be 0",
    "gemma4_unified_assistant-causal": "layer types producing a cache",
    "musicgen-causal": "no attribute 'dropout'",
    "musicgen_melody-causal": "no attribute 'dropout'",
    "zamba-causal": "tie_weights_keys",
}
# Short forms that are refused: experts, layers without an MLP, padding that leaks, streams of another shape.
_REFUSED = {
    "all": """
        albert-masked bart-masked emu3-causal funnel-masked longcat_flash-causal mbart-masked
        mllama-causal mvp-masked perceiver-masked
    """,
    "mlp.0": """
        zamba2-causal
    """,
    "mlp.0 mlp.1": """
        aria_text-causal bitnet-causal cohere2_moe-causal deepseek_v2-causal dots1-causal
        falcon_mamba-causal flex_olmo-causal gpt_oss-causal granitemoe-causal granitemoe_swa-causal
        granitemoehybrid-causal granitemoeshared-causal hunyuan_v1_moe-causal inkling_text-causal
        jetmoe-causal kolibri1-causal llama4-causal llama4_text-causal mamba-causal mamba2-causal
        mellum-causal minimax-causal minimax_m2-causal minimax_m3_vl_text-causal mixtral-causal
        nemotron_h-causal olmoe-causal phimoe-causal qwen2_moe-causal qwen3_5_moe-causal
        qwen3_5_moe_text-causal qwen3_moe-causal qwen3_next-causal solar_open-causal zaya-causal
    """,
    "mlp.0 mlp.1 resid.0 resid.1": """
        convbert-masked cpmant-causal deepseek_v4-causal fnet-masked hrm_text-causal
        longformer-masked mobilebert-masked nystromformer-masked
        prophetnet-causal qwen4_exp-causal qwen4_exp_text-causal squeezebert-masked xlnet-causal
        yoso-masked
    """,
    "mlp.0 mlp.1 resid.1": """
        inkling2_text-causal
    """,
    "mlp.1": """
        afmoe-causal axk1-causal axk2-causal dots3_note_text-causal ernie4_5_moe-causal
        exaone_moe-causal glm4_moe-causal glm4_moe_lite-causal hy_v3-causal jamba-causal
        kimi_linear-causal laguna-causal mimo_v2_flash-causal
    """,
    "mlp.1 resid.0 resid.1": """
        hy_v4-causal
    """,
    "resid.0 resid.1": """
        flaubert-masked gemma3n_text-causal xlm-causal xlm-masked
    """,
}
REFUSED = {name: forms.split() for forms, names in _REFUSED.items() for name in names.split()}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """A second thread only waits on models this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("architecture", architectures(), ids=str)
def test_a_short_form_is_right_or_refused(architecture: Architecture) -> None:
    if reason := CANNOT_BE_BUILT.get(str(architecture)):
        with pytest.raises(Exception, match=re.escape(reason)):
            tiny_model(architecture)
        return
    model = tiny_model(architecture)
    assert refusals(model) == REFUSED.get(str(architecture), [])


def refusals(model: Any) -> list[str]:
    """The short forms that are refused; every other one is proved right here, and fails the test otherwise."""
    try:
        with loaded_in_memory(model, word_tokenizer()) as loaded:
            return [pattern for pattern in ("mlp.0", "mlp.1", "resid.0", "resid.1") if is_refused(loaded, pattern)]
    except InputError as error:
        require_reason(error)
        return ["all"]


def is_refused(loaded: LoadedModel, pattern: str) -> bool:
    try:
        (point,) = resolve_hook_points(loaded.model, [pattern])
        check_hook_points(loaded, [point], TEXTS)
    except InputError as error:
        require_reason(error)
        return True
    (prove_neurons if pattern.startswith("mlp") else prove_residual)(loaded.model, point)
    with record(loaded.model, [point]) as recorder:
        recorded = recorder.run(IDS)[0]
    torch.testing.assert_close(recorded, own_tensor(loaded.model, point).detach().reshape(recorded.shape))
    return False


def require_reason(error: InputError) -> None:
    assert error.message
    assert error.hint


# -- neurons --------------------------------------------------------------------------------------

LINEAR = re.compile(r"(Addmm|Mm|Linear)Backward")
ACTIVATION = re.compile(
    r"(Gelu|GeLUFunction|Silu|Relu|LeakyRelu|Tanh|Sigmoid|Erf|Hardtanh|Hardswish|Mish|Softplus|Elu|XIELU|PreluKernel)\w*Backward"
)
ELEMENTWISE = re.compile(
    r"(View|Reshape\w*|UnsafeView|Split\w*|Slice|Select|Unbind|Transpose|T|Permute|Clone|Alias|Mul|Add|Sub|Div|Pow|Neg|"
    r"ToCopy|Expand|Unsqueeze|Squeeze|Clamp\w*|Where|Exp|Expm1|Minimum|torch::autograd::AccumulateGrad)(Backward|$)"
)


def prove_neurons(model: Any, point: HookPoint) -> None:
    """From the tensor back to linear modules there is an activation function, and nothing but elementwise steps."""
    assert f".{point.layer}." in point.name
    # Reformer runs its layers without gradients.
    around = [module for name, module in model.named_modules() if f".{point.layer}." in name and name in point.module]
    handles = [module.register_forward_pre_hook(lambda *_: with_graph()) for module in around]
    nodes = nodes_before(own_tensor(model, point))
    for handle in handles:
        handle.remove()
    assert [name for name in nodes if LINEAR.match(name)]
    assert [name for name in nodes if ACTIVATION.match(name)]
    others = [name for name in nodes if not any(kind.match(name) for kind in (LINEAR, ACTIVATION, ELEMENTWISE))]
    assert others == []


def with_graph() -> None:
    torch.set_grad_enabled(True)


def nodes_before(tensor: torch.Tensor) -> list[str]:
    """The names of the steps that made ``tensor``, back to the nearest linear modules."""
    names, waiting, seen = [], [tensor.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        names.append(node.name())
        if not LINEAR.match(node.name()):
            waiting += [before for before, _ in node.next_functions]
    return names


def own_tensor(model: Any, point: HookPoint, call: Callable[..., Any] | None = None) -> torch.Tensor:
    """What a hook of the test's own sees at ``point``, with its graph."""
    kept: list[torch.Tensor] = []

    def keep_input(module: Any, args: Any, kwargs: Any) -> None:
        kept.append(args[0] if args else next(iter(kwargs.values())))

    def keep_output(module: Any, args: Any, output: Any) -> None:
        kept.append(output if isinstance(output, torch.Tensor) else output[0])

    module = model.get_submodule(point.module)
    if point.side == "in":
        handle = module.register_forward_pre_hook(keep_input, with_kwargs=True)
    else:
        handle = module.register_forward_hook(keep_output)
    try:
        cached = "use_cache" in inspect.signature(model.forward).parameters
        (call or model)(input_ids=IDS, **({"use_cache": False} if cached else {}))
    finally:
        handle.remove()
    (tensor,) = kept
    return tensor


# -- the residual stream --------------------------------------------------------------------------


def prove_residual(model: Any, point: HookPoint) -> None:
    """It is a hidden state that the model names, and what the next layer reads; the last may be normed in between."""
    states: list[torch.Tensor] = []

    def call(**inputs: Any) -> None:
        states.extend(model(**inputs, output_hidden_states=True).hidden_states)

    with torch.no_grad():
        values = own_tensor(model, point, call)
        layers = list(model.get_submodule(point.module.rpartition(".")[0]))
        if model.get_submodule(point.module) is layers[-1]:
            assert equal(values, states[-1]) or is_normed(model, values, states[-1])
            return
        assert any(equal(values, state) for state in states)
        read: list[Any] = []
        following = layers[(point.layer or 0) + 1]
        handle = following.register_forward_pre_hook(lambda _, a, k: read.extend([*a, *k.values()]), with_kwargs=True)
        values = own_tensor(model, point)
        handle.remove()
        assert any(equal(tensor, values) for tensor in read)


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
