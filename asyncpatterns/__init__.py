"""Actors and CSP channels in plain asyncio, put together into dynamic batching.

This package is the core: `channels`, `actors` and `batching`, which need the standard library only. `testing` (a
virtual clock) stands beside them. Everything else (`serving`, `load`, `chatbot`, `live`, `lessons`) is imported by
name where it is used, so that `import asyncpatterns` stays quick.
"""

from . import actors, batching, channels
from .actors import *  # noqa: F403
from .batching import *  # noqa: F403
from .channels import *  # noqa: F403

__version__ = "0.1.0"
__all__ = [*channels.__all__, *actors.__all__, *batching.__all__]
