"""Smaller ONNX graphs: weights in fewer bits, and numbers for names (chapter 06)."""

import numpy as np


def store_weights(graph, precision):
    """Store the kernels of an ONNX graph in fewer bits, each with nodes that make float32 of it again.

    Parameters
    ----------
    graph : onnx.GraphProto
        Changed in place.
    precision : str
        "float16", or "int8" for whole numbers and a step for each output channel, its largest weight's 127th part.
    """
    from onnx import TensorProto, helper, numpy_helper

    channels = {}  # which axis of a kernel holds the output channels
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            channels[node.input[1]] = 0 if node.op_type == "Conv" or transposed else 1
    kernels, nodes = [tensor for tensor in graph.initializer if tensor.name in channels], []
    for tensor in kernels:
        name, values = tensor.name, numpy_helper.to_array(tensor)
        graph.initializer.remove(tensor)
        if precision == "float16":
            stored = {f"{name}/stored": values.astype(np.float16)}
            nodes.append(helper.make_node("Cast", list(stored), [name], to=TensorProto.FLOAT))
        else:
            others = tuple(axis for axis in range(values.ndim) if axis != channels[name])
            step = np.maximum(np.abs(values).max(axis=others, keepdims=True), 1e-30) / 127
            stored = {f"{name}/stored": np.round(values / step).astype(np.int8), f"{name}/step": step}
            # Not DequantizeLinear, which ONNX Runtime does anew for each picture: these two it does once, at the start.
            nodes.append(helper.make_node("Cast", [f"{name}/stored"], [f"{name}/cast"], to=TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [f"{name}/cast", f"{name}/step"], [name]))
        graph.initializer.extend(numpy_helper.from_array(array, key) for key, array in stored.items())
    nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)


def shorten_names(graph):
    """Number what an ONNX graph computes; the converter's names are a sixth of the file."""
    numbers = {"": "", graph.input[0].name: "image", graph.output[0].name: "answer"}

    def short(name):
        return numbers.setdefault(name, str(len(numbers)))

    for node in graph.node:
        node.name = ""
        node.input[:], node.output[:] = map(short, node.input), map(short, node.output)
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = short(value.name)
