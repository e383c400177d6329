"""TensorFlow models as services: the rudimentary way, and behind a batcher. TensorFlow is imported on first use.

    from asyncpatterns.serving import ServingApp, deploy

    app = ServingApp(deploy("models/intent", name="intent", slo=0.05))     # an ASGI application
"""

from .app import ServingApp
from .deployment import Deployment
from .errors import BodyTooLarge, InvalidInput, UnknownName
from .quiet import import_tensorflow
from .signature import Signature, TensorSpec
from .tensorflow_model import TensorFlowModel, latest_version, rows_of
from .versions import Versions, deploy

__all__ = ["BodyTooLarge", "Deployment", "InvalidInput", "ServingApp", "Signature", "TensorFlowModel", "TensorSpec",
           "UnknownName", "Versions", "deploy", "import_tensorflow", "latest_version", "rows_of"]
