"""Hook points: resolve their names, record or change activations there, and check what must hold."""

from glasso_cli.hooks.edit import ablate
from glasso_cli.hooks.point import HookPoint
from glasso_cli.hooks.record import record
from glasso_cli.hooks.resolve import resolve_hook_points

__all__ = ["HookPoint", "ablate", "record", "resolve_hook_points"]
