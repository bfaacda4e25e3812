"""What a timing depends on beside the code: processor, BLAS, versions, load."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from peers import PEERS, installed


def described() -> dict[str, str]:
    """A line for each; ``load`` is the only one that may differ between two runs on the same machine."""
    import scipy.linalg.lapack  # noqa: F401  loads the BLAS that is to be named
    from threadpoolctl import threadpool_info

    libraries = [info for info in threadpool_info() if info["user_api"] == "blas"]
    named = [f"{info['internal_api']} {info['version']} {info.get('architecture', '')}".strip() for info in libraries]
    packages = ["numpy", "scipy", "numba", *(peer.package for peer in PEERS.values())]
    return {
        "cpu": f"{_cpu()}, {os.cpu_count()} cores",
        "blas": "; ".join(sorted(set(named))),
        "versions": ", ".join(f"{name} {found}" for name in packages if (found := installed(name))),
        "languages": ", ".join(filter(None, [f"Python {platform.python_version()}", _r()])),
        "load": f"{os.getloadavg()[0]:.2f} at the start" if hasattr(os, "getloadavg") else "unknown",
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _r() -> str:
    if shutil.which("Rscript") is None:
        return ""
    call = 'cat(as.character(getRversion()), "with", basename(extSoftVersion()[["BLAS"]]))'
    done = subprocess.run(["Rscript", "-e", call], capture_output=True, text=True)
    return f"R {done.stdout.strip()}" if done.returncode == 0 else ""


def peak_bytes() -> float:
    """The most memory this process has held; Linux's ru_maxrss would start at what its parent held."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) * 1024
    import resource

    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
