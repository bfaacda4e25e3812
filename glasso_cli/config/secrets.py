"""Values that look like keys: they are not shown, wherever they were written."""

from __future__ import annotations

import re

_KEY = re.compile(
    r"""
    \b(?:sk|pk|rk|hf|gh[opsu]|github_pat|glpat|gsk|xai|xox[abpr]|AIza|AKIA|nvapi|r8|key|token)[-_]?[A-Za-z0-9_\-]{12,}
    | (?<![A-Za-z0-9_\-/.])(?=[A-Za-z0-9_\-]*[a-z])(?=[A-Za-z0-9_\-]*[A-Z])(?=[A-Za-z0-9_\-]*[0-9])[A-Za-z0-9_\-]{24,}
    | (?<![A-Za-z0-9/.])[0-9a-fA-F]{32,}
    | (?<=://)[^/\s@]+:[^/\s@]+(?=@)
    """,
    re.VERBOSE,
)


def hide_keys(text: str) -> str:
    """``text`` with all that looks like a key, or like a password in an address, replaced by ``***``."""
    return _KEY.sub("***", text)
