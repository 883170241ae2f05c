"""A graph from weights, and the weights out of a graph, whoever wrote it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]  # it has no types
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fakes.tiny_model import CONFIG, HIDDEN, tiny_weights, write_tiny_model
from twin_platform.embedding.convert import BertConfig, save_bert, tensors_of
from twin_platform.embedding.errors import WeightsInvalid

TINY = BertConfig.model_validate(CONFIG)
EPSILON = 1e-12


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path) / "model.onnx"


def run(graph: Path) -> NDArray[np.float32]:
    """Return what the graph gives for two texts of which one is padded."""
    ids = np.array([[2, 7, 8, 9, 3], [2, 8, 3, 0, 0]])
    inputs = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64), "token_type_ids": (ids > 7).astype(int)}
    (output,) = onnxruntime.InferenceSession(str(graph)).run(None, inputs)
    return np.asarray(output, np.float32)


def export(graph: Path, prefix: str, normalised: Sequence[str]) -> None:
    """Write the graph anew as torch's exporter would.

    Weights of linear layers have a number for a name and their bias is the sum's first term; what `prefix` wraps has
    it before the name; normalisations consist of these operators.
    """
    model = onnx.load(graph)
    constants = {one.name for one in model.graph.initializer}
    matrices = [one.input[1] for one in model.graph.node if one.op_type == "MatMul" and one.input[1] in constants]
    names = {name: f"onnx::MatMul_{number}" for number, name in enumerate(matrices, start=12)}
    names |= {name: prefix + name for name in constants - names.keys() if name.endswith((".weight", ".bias"))}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        inputs = [names.get(name, name) for name in node.input]
        node.input[:] = reversed(inputs) if node.op_type == "Add" else inputs
        nodes += _plain(node) if node.op_type not in normalised else [node]
    for constant in model.graph.initializer:
        constant.name = names.get(constant.name, constant.name)
    model.graph.initializer.append(numpy_helper.from_array(np.array(EPSILON, np.float32), "epsilon"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), "last"))
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, graph)


def _plain(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    if node.op_type != "LayerNormalization":
        return [node]
    value, weight, bias = node.input
    at = node.output[0]
    steps = [
        ("ReduceMean", [value, "last"], "mean"),
        ("Sub", [value, f"{at}.mean"], "centred"),
        ("Mul", [f"{at}.centred", f"{at}.centred"], "squares"),
        ("ReduceMean", [f"{at}.squares", "last"], "variance"),
        ("Add", [f"{at}.variance", "epsilon"], "above_zero"),
        ("Sqrt", [f"{at}.above_zero"], "deviation"),
        ("Div", [f"{at}.centred", f"{at}.deviation"], "even"),
        ("Mul", [f"{at}.even", weight], "scaled"),
    ]
    plain = [helper.make_node(kind, inputs, [f"{at}.{name}"]) for kind, inputs, name in steps]
    return [*plain, helper.make_node("Add", [f"{at}.scaled", bias], [at])]


def assert_weights(graph: Path) -> None:
    tensors = tensors_of(graph)
    for name, weight in tiny_weights().items():
        assert name in tensors
        np.testing.assert_array_equal(tensors[name], weight, err_msg=name)


def test_the_weights_of_a_graph_converted_here_are_those_it_was_made_of(graph: Path) -> None:
    assert_weights(graph)


@pytest.mark.parametrize("normalised", [["LayerNormalization"], []], ids=["one operator", "plain operators"])
@pytest.mark.parametrize("prefix", ["", "bert.", "auto_model.", "0.auto_model.", "text_encoder.", "encoder."])
def test_the_weights_of_an_exported_graph_have_the_repositorys_names(
    graph: Path, prefix: str, normalised: list[str]
) -> None:
    before = run(graph)

    export(graph, prefix, normalised)

    assert run(graph) == pytest.approx(before, abs=1e-4)  # it is still the same model
    assert_weights(graph)


def test_a_graph_made_of_a_graphs_weights_gives_the_same(graph: Path) -> None:
    again = graph.with_name("again.onnx")

    save_bert(tensors_of(graph), TINY, again)

    np.testing.assert_array_equal(run(again), run(graph))


def test_a_head_is_a_linear_layer_on_the_states(graph: Path) -> None:
    random = np.random.default_rng(3)
    weight, bias = random.normal(size=(3, HIDDEN)).astype(np.float32), random.normal(size=3).astype(np.float32)
    headed = graph.with_name("headed.onnx")

    save_bert(tiny_weights() | {"top.weight": weight, "top.bias": bias}, TINY, headed, ("top", "figures"))

    assert [one.name for one in onnxruntime.InferenceSession(str(headed)).get_outputs()] == ["figures"]
    assert run(headed) == pytest.approx(run(graph) @ weight.T + bias, abs=1e-4)


def test_a_head_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsInvalid, match=r"no weight named 'top\.weight'"):
        save_bert(tiny_weights(), TINY, tmp_path / "model.onnx", ("top", "figures"))
