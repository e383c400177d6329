"""Dynamic batching: single calls in, one call of a function with many items out."""

from .batcher import Batcher
from .errors import BatcherClosed, BatchFailed, BatchSizeMismatch, DeadlineExceeded, Overloaded

__all__ = ["BatchFailed", "BatchSizeMismatch", "Batcher", "BatcherClosed", "DeadlineExceeded", "Overloaded"]
