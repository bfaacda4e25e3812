import time
from conftest import CONFIGS
import pytest
from glasso_cli.hook_points import resolve_hook_points
from glasso_cli.invariants import check_hook_points
@pytest.mark.parametrize("name", CONFIGS)
def test_x(loaded, name):
    t=time.time()
    L=loaded(name); print(name, L.kind, L.notes, L.n_layers, len(L.tokenizer), time.time()-t)
    P=resolve_hook_points(L.model,["mlp.*","resid.*"])
    for p in P: print("  ",p)
    print(check_hook_points(L,P))
