#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes reference/onnx_int8.inc: what ONNX Runtime computes for the models of test_onnx_int8.c, which are built here once more from
the same formulas. Graph optimizations are off, so that operators are computed as they are written.

usage: make_onnx_int8_reference.py > tests/io/onnx/reference/onnx_int8.inc
"""
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SX, S2, ZX, Z2 = np.float32(0.05), np.float32(0.03), -7, 11

# op, x, w, w_axis, bias, twice, attribute, value, relu, sy, zy, layers, operators of integers (of uint8 two more, which turn the signs)
CASES = (
	("Conv", (1, 3, 6, 5), (4, 3, 3, 3), 0, 1, 0, None, 0, 0, 0.1, 3, 1, 1), ("Conv", (1, 3, 6, 5), (4, 3, 3, 3), 0, 1, 0, None, 0, 1, 0.05, -20, 1, 1),
	("Conv", (1, 4, 6, 5), (4, 1, 3, 2), 0, 1, 0, "group", 4, 1, 0.03, -128, 1, 1), ("Conv", (1, 3, 7), (5, 3, 2), -1, 0, 0, None, 0, 0, 0.1, 0, 1, 1),
	("Gemm", (2, 10), (6, 10), 0, 1, 0, "transB", 1, 0, 0.05, -9, 1, 1), ("MatMul", (3, 10), (10, 6), 1, 0, 0, None, 0, 0, 0.05, 9, 1, 1),
	("MatMul", (2, 3, 10), (10, 6), -1, 0, 0, None, 0, 1, 0.05, 0, 1, 2), ("Add", (2, 3, 11), (), 0, 0, 1, None, 0, 0, 0.08, 2, 0, 1),
	("Add", (2, 3, 11), (), 0, 0, 1, None, 0, 1, 0.05, -100, 0, 1), ("Mul", (2, 3, 11), (), 0, 0, 1, None, 0, 0, 0.1, 2, 0, 1),
	("GlobalAveragePool", (1, 5, 6, 7), (), 0, 0, 0, None, 0, 0, 0.02, 0, 0, 1), ("Softmax", (3, 7), (), 0, 0, 0, "axis", -1, 0, 1 / 256, -128, 0, 1),
	("Sigmoid", (2, 100), (), 0, 0, 0, None, 0, 0, 1 / 256, -128, 0, 1), ("Concat", (2, 60), (), 0, 0, 1, "axis", 1, 0, 0.04, 5, 0, 2),
	("Relu", (2, 100), (), 0, 0, 0, None, 0, 0, 0.03, -100, 0, 1), ("Flatten", (2, 5, 4), (), 0, 0, 0, "axis", 1, 0, 0.05, -7, 0, 0),
	("QLinearConv", (1, 3, 6, 5), (4, 3, 3, 3), 0, 1, 0, None, 0, 0, 0.1, 3, 1, 1), ("QLinearMatMul", (3, 10), (10, 6), 1, 0, 0, None, 0, 0, 0.05, 9, 1, 1),
	("QLinearAdd", (2, 3, 11), (), 0, 0, 1, None, 0, 0, 0.08, 2, 0, 1), ("QLinearMul", (2, 3, 11), (), 0, 0, 1, None, 0, 0, 0.1, 2, 0, 1),
	("QLinearGlobalAveragePool", (1, 5, 6, 7), (), 0, 0, 0, "channels_last", 0, 0, 0.02, 0, 0, 1), ("QLinearSigmoid", (2, 100), (), 0, 0, 0, None, 0, 0, 1 / 256, -128, 0, 1),
)


def model(case, u8):
	op, x, w, axis, bias, twice, attr, value, relu, sy, zy = case[:11]
	kind, off = (np.uint8, 128) if u8 else (np.int8, 0)
	whole, known, nodes = op.startswith("Q"), {}, []
	for name, v in (("sx", SX), ("s2", S2), ("sy", np.float32(sy))):
		known[name] = np.float32(v)
	for name, v in (("zx", ZX), ("z2", Z2), ("zy", zy)):
		known[name] = kind(v + off)
	known["zw"] = np.int8(0)
	if w:
		outs, rows = 1 if axis < 0 else w[axis], w[0 if bias else len(w) - 1]
		known["w"] = ((np.arange(np.prod(w)) * 37 + 11) % 101 - 50).astype(np.int8).reshape(w)
		known["ws"] = np.float32(0.01) * (1 + np.arange(outs) % 3).astype(np.float32)
		if outs == 1:
			known["ws"] = known["ws"][0]
		elif whole:
			known["zw"] = np.zeros(outs, np.int8)
		if bias:
			known["b"] = (np.arange(rows) * 53 % 201 - 100).astype(np.int32)
			known["bs"] = np.float32(SX) * (known["ws"] * np.ones(rows, np.float32))
	more = {attr: value} if attr else {}
	if whole:
		names = ["x", "sx", "zx"] + (["w", "ws", "zw"] if w else []) + (["x", "s2", "z2"] if twice else []) + ["sy", "zy"] + (["b"] if bias else [])
		nodes.append(helper.make_node(op, names, ["y"], domain="" if op in ("QLinearConv", "QLinearMatMul") else "com.microsoft", **more))
	else:
		nodes.append(helper.make_node("DequantizeLinear", ["x", "sx", "zx"], ["xf"]))
		if w:
			nodes.append(helper.make_node("DequantizeLinear", ["w", "ws"], ["wf"], axis=max(axis, 0)))
		if bias:
			nodes.append(helper.make_node("DequantizeLinear", ["b", "bs"], ["bf"], axis=0))
		if twice:
			nodes.append(helper.make_node("DequantizeLinear", ["x", "s2", "z2"], ["wf"]))
		nodes.append(helper.make_node(op, ["xf"] + (["wf"] if w or twice else []) + (["bf"] if bias else []), ["r"], **more))
		if relu:
			nodes.append(helper.make_node("Relu", ["r"], ["t"]))
		nodes.append(helper.make_node("QuantizeLinear", ["t" if relu else "r", "sy", "zy"], ["y"]))
	elem = TensorProto.UINT8 if u8 else TensorProto.INT8
	graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", elem, x)], [helper.make_tensor_value_info("y", elem, None)],
		[numpy_helper.from_array(np.asarray(v), k) for k, v in known.items()])
	return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)], ir_version=8)


def main():
	options = onnxruntime.SessionOptions()
	options.log_severity_level = 3
	options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
	for case in CASES:
		for u8 in (0, 1):
			op, x, w, axis, bias, twice, attr, value, relu, sy, zy, layers, ops = case
			data = (np.arange(np.prod(x)) * 73 % 256).astype(np.uint8).reshape(x)
			data = data if u8 else (data.astype(np.int32) - 128).astype(np.int8)
			try:
				y = onnxruntime.InferenceSession(model(case, u8).SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, {"x": data})[0]
			except Exception as e:  # noqa: BLE001
				raise SystemExit(f"{op} u8={u8}: {e}")
			print(f'{{"{op}", {u8}, {len(x)}, {{{", ".join(map(str, x))}}}, {len(w)}, {{{", ".join(map(str, w)) or 0}}}, {axis}, {bias}, {twice}, '
				f'{chr(34) + attr + chr(34) if attr else "NULL"}, {value}, {relu}, {float(np.float32(sy))!r}f, {zy}, {layers}, {ops + 2 * u8}, {y.size},')
			print("\t{" + ", ".join(str(v) for v in y.reshape(-1).view(np.uint8)) + "}},")


if __name__ == "__main__":
	main()
