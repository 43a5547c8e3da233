"""A graph of ONNX operators in the making: constants, nodes, inputs and outputs, each value known by its name.

Operators are those of ONNX's operator set 18 (https://onnx.ai/onnx/operators), which onnxruntime has run since 1.14.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassloom.exchange.packages import package

OPERATORS, IR = 18, 8
LAST = 2**63 - 1
"""Where a slice ends that has no end."""


class Graph:
    """Collects nodes; `graph("MatMul", a, b)` adds one and returns its output's name."""

    def __init__(self) -> None:
        self.onnx = package("onnx", "ONNX")
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def __call__(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """One node with one output."""
        return self.node(operator, inputs, [name or f"node.{len(self.nodes)}"], **attributes)[0]

    def node(self, operator: str, inputs: Sequence[str], outputs: list[str], **attributes: Any) -> list[str]:
        """One node with several outputs; a name that is empty stands for an input or output that is left out."""
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), outputs, **attributes))
        return outputs

    def constant(self, value: Any, name: str = "", type: Any = None) -> str:
        """A constant: a weight, or numbers; its name."""
        if isinstance(value, Tensor):
            value = value.detach().cpu().numpy()
        array = np.asarray(value, dtype=type)
        name = name or f"constant.{len(self.constants)}"
        self.constants[name] = self.onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        return name

    def whole(self, *numbers: int) -> str:
        """A constant vector of whole numbers."""
        return self.constant(numbers, type=np.int64)

    def given(self, name: str, type: torch.dtype, shape: Sequence[int | str]) -> str:
        """An input; an axis with a name has any length."""
        self.inputs.append(self.onnx.helper.make_tensor_value_info(name, self.type_of(type), list(shape)))
        return name

    def result(self, value: str, name: str, type: torch.dtype, shape: Sequence[int | str]) -> None:
        """An output."""
        self("Identity", value, name=name)
        self.outputs.append(self.onnx.helper.make_tensor_value_info(name, self.type_of(type), list(shape)))

    def type_of(self, type: torch.dtype) -> int:
        """The number that ONNX has for a type."""
        return int({torch.int64: self.onnx.TensorProto.INT64, torch.float32: self.onnx.TensorProto.FLOAT}[type])

    def linear(self, values: str, weight: Tensor, bias: Tensor | None, name: str) -> str:
        """x W^T + b."""
        product = self("MatMul", values, self.constant(weight.t(), f"{name}.weight"))
        return product if bias is None else self("Add", product, self.constant(bias, f"{name}.bias"))

    def length(self, value: str, axis: int) -> str:
        """The length of an axis, as a vector of one number."""
        return self("Shape", value, start=axis, end=axis + 1)

    def count(self, start: str, end: str) -> str:
        """The whole numbers from one vector of one number to before another."""
        zero = self.whole(0)
        ends = [self("Squeeze", one, zero) for one in (start, end)]
        return self("Range", *ends, self.constant(1, type=np.int64))

    def bytes(self, about: str, metadata: dict[str, str]) -> bytes:
        """The whole model, checked by ONNX's own checker."""
        helper = self.onnx.helper
        graph = helper.make_graph(
            self.nodes, "glassloom", self.inputs, self.outputs, initializer=list(self.constants.values())
        )
        model = helper.make_model(
            graph, producer_name="glassloom", doc_string=about, opset_imports=[helper.make_opsetid("", OPERATORS)]
        )
        model.ir_version = IR
        helper.set_model_props(model, metadata)
        self.onnx.checker.check_model(model, full_check=True)
        written: bytes = model.SerializeToString()
        return written
