"""PyTriton: Triton's own HTTP server and dynamic batcher, two instances of the model in this process."""

import os
import sys
import sysconfig

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from .model import load

if __name__ == "__main__":
    # Triton starts an interpreter of its own, which has to find this Python's library and not the system's.
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(
        filter(None, (sysconfig.get_config_var("LIBDIR"), os.environ.get("LD_LIBRARY_PATH"))))
    model, port = load(), int(sys.argv[1])

    @batch
    def infer(tokens):
        return model(tokens)

    config = TritonConfig(http_port=port, http_address="127.0.0.1", grpc_port=port + 1, metrics_port=port + 2,
                          log_verbose=0)
    with Triton(config=config) as triton:
        triton.bind("intent", [infer] * int(os.environ.get("PEERS_WORKERS", "2")),
                    inputs=[Tensor(name="tokens", dtype=np.int32, shape=(24,))],
                    outputs=[Tensor(name="intent", dtype=np.float32, shape=(-1,)),
                             Tensor(name="slots", dtype=np.float32, shape=(-1, -1))],
                    config=ModelConfig(max_batch_size=64, batcher=DynamicBatcher(max_queue_delay_microseconds=0)))
        triton.serve()
