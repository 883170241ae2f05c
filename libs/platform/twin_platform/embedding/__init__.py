"""Embedding models and their weights."""

import os

# Unless told not to before it is imported, onnxruntime reports every process and model over the network (since 1.29),
# and keeps an identifier of this machine in the cache folder.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
