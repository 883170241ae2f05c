"""An ONNX graph from a BERT encoder's weights, without torch, and the weights out of such a graph.

The architecture is that of Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers"
(arXiv:1810.04805), section 3, on the encoder of Vaswani et al. 2017, "Attention Is All You Need"
(arXiv:1706.03762), section 3: normalisation after each residual sum, exact GELU, learned absolute positions.
MiniLM-L6-H384-uncased is such an encoder with 6 layers, 12 heads and 384 hidden units; the figures are read from
its `config.json`, the weights' names are those that the model's own repository uses.

Written as plain operators: onnxruntime fuses them itself, and its own fused operators, written out here by hand, were
no faster (within 5 % either way).
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from twin_platform.embedding.errors import WeightsInvalid

_OPSET = 20
_IR_VERSION = 9
_MASKED = -1e9
"""Added to the attention score of padding; its share is 0 after the softmax."""
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_OUTPUT = "last_hidden_state"
_OWN_NAME = re.compile(r"\b(?:embeddings|encoder\.layer)\..*")
"""What is left of a weight's name without the modules that wrap the encoder."""

Tensors = dict[str, NDArray[np.float32]]


class BertConfig(BaseModel, frozen=True):
    """The part of a BERT model's `config.json` that its graph depends on."""

    hidden_size: int
    num_attention_heads: int
    num_hidden_layers: int
    layer_norm_eps: float
    hidden_act: str
    model_type: str


def convert_bert(weights: Path, config: Path, target: Path) -> None:
    """Write the encoder's graph to `target`: token ids, mask and types to one hidden state per token.

    Raises:
        WeightsInvalid: the configuration is not a BERT's, or a weight is missing.
    """
    try:
        parsed = BertConfig.model_validate(json.loads(config.read_text(encoding="utf-8")))
        tensors = load_file(weights)
    except (ValidationError, ValueError, SafetensorError) as error:
        raise WeightsInvalid(str(weights.parent), str(error)) from error
    if (parsed.model_type, parsed.hidden_act) != ("bert", "gelu"):
        why = f"it is a {parsed.model_type!r} model with {parsed.hidden_act!r}; only BERT with GELU can be converted"
        raise WeightsInvalid(str(weights.parent), why)
    save_bert(tensors, parsed, target)


def save_bert(tensors: Tensors, config: BertConfig, target: Path, head: tuple[str, str] | None = None) -> None:
    """Write the encoder's graph: token ids, mask and types to one hidden state per token.

    Args:
        tensors: its weights, under the names that the model's own repository uses.
        config: its architecture.
        target: the file.
        head: a linear layer on top, and what its output is called; None gives the states themselves.

    Raises:
        WeightsInvalid: a weight is missing.
    """
    try:
        model = _Graph(tensors, config).build(head)
    except KeyError as error:
        raise WeightsInvalid(str(target), f"there is no weight named {error}") from error
    onnx.save(model, target)


def tensors_of(model: Path) -> Tensors:
    """Return the weights of an encoder's graph under the names that the model's own repository uses.

    Whoever exported it: torch's exporter keeps the names of all weights but those of linear layers, which it
    transposes; those are found by the bias that is added to their product. The file's checksum has been compared.
    """
    graph = onnx.load(model).graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    products = {node.output[0]: node.input for node in graph.node if node.op_type == "MatMul"}
    tensors = {_name_of(name): value for name, value in constants.items()}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        bias = next((name for name in node.input if name in constants), None)
        product = next((products[name] for name in node.input if name in products), None)
        weight = next((name for name in product or () if name in constants), None)
        if bias and weight:
            tensors[_name_of(bias).removesuffix("bias") + "weight"] = constants[weight].T
    return tensors


def _name_of(constant: str) -> str:
    """Return a constant's name without what a wrapping module put before it."""
    own = _OWN_NAME.search(constant)
    return own[0] if own else constant


class _Graph:
    """Grows node by node; every method appends operators and returns the name of the last one's output."""

    def __init__(self, tensors: Tensors, config: BertConfig) -> None:
        self._tensors = tensors
        self._config = config
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def build(self, head: tuple[str, str] | None) -> onnx.ModelProto:
        config = self._config
        mask = self._mask()
        hidden = self._embeddings()
        for layer in range(config.num_hidden_layers):
            hidden = self._layer(f"encoder.layer.{layer}", hidden, mask)
        output, width = _OUTPUT, config.hidden_size
        if head:
            layer_name, output = head
            hidden, width = self._linear(hidden, layer_name), len(self._tensors[f"{layer_name}.bias"])
        self._nodes.append(helper.make_node("Identity", [hidden], [output]))
        shape = ["batch", "sequence"]
        graph = helper.make_graph(
            self._nodes,
            "bert",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in _INPUTS],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [*shape, width])],
            list(self._constants.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        return model

    def _embeddings(self) -> str:
        """Word, position and type, summed and normalised."""
        words = self._operator("Gather", [self._weight("embeddings.word_embeddings.weight"), "input_ids"])
        types = self._operator("Gather", [self._weight("embeddings.token_type_embeddings.weight"), "token_type_ids"])
        length = self._operator("Shape", ["input_ids"], start=1, end=2)
        table = self._weight("embeddings.position_embeddings.weight")
        first, rows = self._integers("first", [0]), self._integers("rows", [0])
        positions = self._operator("Slice", [table, first, length, rows])
        return self._normalised(self._add(self._add(words, types), positions), "embeddings.LayerNorm")

    def _mask(self) -> str:
        """0 for tokens and a very small number for padding, in the shape of the attention scores."""
        mask = self._operator("Cast", ["attention_mask"], to=TensorProto.FLOAT)
        mask = self._operator("Unsqueeze", [mask, self._integers("heads_and_queries", [1, 2])])
        padding = self._operator("Sub", [self._number("one", 1.0), mask])
        return self._operator("Mul", [padding, self._number("masked", _MASKED)])

    def _layer(self, name: str, hidden: str, mask: str) -> str:
        attended = self._linear(
            self._attention(f"{name}.attention.self", hidden, mask), f"{name}.attention.output.dense"
        )
        hidden = self._normalised(self._add(attended, hidden), f"{name}.attention.output.LayerNorm")
        wide = self._operator("Gelu", [self._linear(hidden, f"{name}.intermediate.dense")])
        narrow = self._linear(wide, f"{name}.output.dense")
        return self._normalised(self._add(narrow, hidden), f"{name}.output.LayerNorm")

    def _attention(self, name: str, hidden: str, mask: str) -> str:
        """Scaled dot-product attention of all heads; (batch, sequence, hidden) in and out."""
        config = self._config
        width = config.hidden_size // config.num_attention_heads
        query = self._heads(hidden, f"{name}.query", [0, 2, 1, 3])
        key = self._heads(hidden, f"{name}.key", [0, 2, 3, 1])
        value = self._heads(hidden, f"{name}.value", [0, 2, 1, 3])
        scores = self._operator("Mul", [self._matmul(query, key), self._number("scale", width**-0.5)])
        shares = self._operator("Softmax", [self._add(scores, mask)], axis=-1)
        context = self._operator("Transpose", [self._matmul(shares, value)], perm=[0, 2, 1, 3])
        return self._operator("Reshape", [context, self._integers("merged", [0, 0, config.hidden_size])])

    def _heads(self, hidden: str, name: str, order: list[int]) -> str:
        config = self._config
        width = config.hidden_size // config.num_attention_heads
        split = self._integers("split", [0, 0, config.num_attention_heads, width])
        return self._operator("Transpose", [self._operator("Reshape", [self._linear(hidden, name), split])], perm=order)

    def _linear(self, value: str, name: str) -> str:
        transposed = self._constant(f"{name}.weight.transposed", self._tensors[f"{name}.weight"].T)
        return self._add(self._matmul(value, transposed), self._weight(f"{name}.bias"))

    def _normalised(self, value: str, name: str) -> str:
        inputs = [value, self._weight(f"{name}.weight"), self._weight(f"{name}.bias")]
        return self._operator("LayerNormalization", inputs, axis=-1, epsilon=self._config.layer_norm_eps)

    def _add(self, left: str, right: str) -> str:
        return self._operator("Add", [left, right])

    def _matmul(self, left: str, right: str) -> str:
        return self._operator("MatMul", [left, right])

    def _operator(self, kind: str, inputs: Sequence[str], **attributes: float | list[int]) -> str:
        output = f"{kind}_{len(self._nodes)}"
        node = helper.make_node(kind, inputs, [output])
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self._nodes.append(node)
        return output

    def _weight(self, name: str) -> str:
        return self._constant(name, self._tensors[name])

    def _number(self, name: str, value: float) -> str:
        return self._constant(name, np.array(value, np.float32))

    def _integers(self, name: str, values: list[int]) -> str:
        return self._constant(name, np.array(values, np.int64))

    def _constant(self, name: str, value: NDArray[np.float32] | NDArray[np.int64]) -> str:
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name
