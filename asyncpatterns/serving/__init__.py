"""TensorFlow models as services: the rudimentary way, and behind a batcher. TensorFlow is imported on first use."""

from .errors import BodyTooLarge, InvalidInput, UnknownName
from .quiet import import_tensorflow
from .signature import Signature, TensorSpec
from .tensorflow_model import TensorFlowModel, latest_version, rows_of

__all__ = ["BodyTooLarge", "InvalidInput", "Signature", "TensorFlowModel", "TensorSpec", "UnknownName",
           "import_tensorflow", "latest_version", "rows_of"]
