"""The engine that a configuration asks for, and which GPUs and cores each of its processes has."""

from __future__ import annotations

import os

from glasso_cli.config import Config
from glasso_cli.console import Console
from glasso_cli.engine import threads
from glasso_cli.engine.dask_engine import DaskEngine
from glasso_cli.engine.pool import Pool
from glasso_cli.engine.slurm import Slurm
from glasso_cli.engine.tasks import Engine
from glasso_cli.errors import ConfigError

_GPUS = "CUDA_VISIBLE_DEVICES"
_WITHOUT_GPUS = 2  # processes, where nobody says how many


def engine_of(config: Config, console: Console) -> Engine | None:
    """The engine of ``config``, which starts nothing before its first call; None where this process does all work.

    Raises :class:`ConfigError` for more processes than GPUs, and for a GPU that the processes would share.
    """
    section = config.engine
    if section.kind == "none":
        return None
    if section.kind == "processes":
        return Pool(environments_of(config))
    if section.address is not None:
        return DaskEngine(address=section.address, wait=section.wait_seconds, tell=console.note)
    if section.by_slurm:
        asked = section.slurm
        slurm = Slurm(
            **{
                name: getattr(asked, name)
                for name in ("jobs", "gpus", "cpus", "memory", "walltime", "queue", "directives")
            },
            lifetime=asked.lifetime_seconds,
            logs=config.folder / "logs" / "slurm",
        )
        return DaskEngine(slurm=slurm, wait=section.wait_seconds, tell=console.note)
    return DaskEngine(environments=environments_of(config), wait=section.wait_seconds, tell=console.note)


def environments_of(config: Config) -> list[dict[str, str]]:
    """The variables of each process on this machine: its own GPUs, or its share of the cores."""
    asked, gpus = config.engine.workers, _gpus(config)
    count = asked or len(gpus) or _WITHOUT_GPUS
    if gpus and count > len(gpus):
        raise ConfigError(
            f"{count} processes are more than the {len(gpus)} GPUs of this machine.",
            f"Give at most {len(gpus)} workers, or set model.device: cpu.",
        )
    each = threads.variables(max(1, threads.allowed() // count))
    if not gpus:
        return [each] * count
    per = len(gpus) // count if config.model.device_map is not None else 1
    return [each | {_GPUS: ",".join(gpus[place * per : (place + 1) * per])} for place in range(count)]


def _gpus(config: Config) -> list[str]:
    """The GPUs that processes may have, as CUDA names them; none where the model runs on the processor."""
    device = config.model.device
    if device.startswith("cuda:"):
        raise ConfigError(
            f"model.device {device} is one GPU, which several processes would share.",
            "Set model.device: cuda, so that each process has a GPU of its own.",
        )
    if device == "cpu":
        return []
    given = os.environ.get(_GPUS)
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
