"""An environment for each peer, so that their dependencies cannot disagree; TensorFlow, which is large, is shared.

Each is a virtual environment whose packages come before ours, and ours before nothing: what a peer brings along in
another version is its own, everything else is what this Python has.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from .contestants import Contestant


def cache() -> Path:
    """Where the environments are, unless the command says otherwise."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "asyncpatterns" / "peers"


def python_of(contestant: Contestant, folder: Path) -> Path | None:
    """The Python that runs `contestant`; None where it is not installed."""
    if not contestant.packages:
        return Path(sys.executable)
    python = _python(folder / contestant.place)
    return python if python.exists() else None


def install(contestant: Contestant, folder: Path) -> Path:
    """Makes the environment, or brings it up to date; raises `CalledProcessError` when a package has no build here."""
    home = folder / contestant.place
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([sys.executable, "-m", "pip", "--python", str(_python(home)), "install", "--quiet",
                    "--disable-pip-version-check", *contestant.packages], check=True)
    return _python(home)


def _python(home: Path) -> Path:
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
