#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The int8 backbone MobileNetV2-0.35 of `tiny-training` (Lin et al. 2022) as a quantised ONNX file with a new last layer for some classes.

usage: tiny_training.py FOLDER CLASSES OUT.onnx [SEED]
FOLDER has mbv2-w0.35.json and mbv2-w0.35.safetensors. The last layer is of floats, and drawn at random.
"""
import json
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def tensors(path):
    raw = open(path, "rb").read()
    n = int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8 : 8 + n])
    kind = {"I8": np.int8, "I32": np.int32, "F32": np.float32, "F64": np.float64, "I64": np.int64}
    return {k: np.frombuffer(raw, kind[v["dtype"]], offset=8 + n + v["data_offsets"][0], count=int(np.prod(v["shape"]))).reshape(v["shape"])
            for k, v in head.items() if k != "__metadata__"}


class Net:
    def __init__(self):
        self.nodes, self.inits, self.count = [], [], 0

    def const(self, name, value):
        self.inits.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op, inputs, out=None, **attrs):
        self.count += 1
        out = out or f"v{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [out], name=f"{op}{self.count}", **attrs))
        return out

    def quantise(self, x, name, scale, zero):
        s, z = self.const(name + ".scale", np.float32(scale)), self.const(name + ".zero", np.int8(zero))
        return self.node("DequantizeLinear", [self.node("QuantizeLinear", [x, s, z]), s, z])


def conv(net, x, name, c, t):
    p = c["params"]
    scales = t[p["w_scales"]["@array"]].astype(np.float64)
    ws = net.const(name + ".w.scale", scales.astype(np.float32))
    w = net.node("DequantizeLinear", [net.const(name + ".w.q", t[p["weight"]["@array"]]), ws, net.const(name + ".w.zero", np.zeros(len(scales), np.int8))], name + ".w", axis=0)
    bs = net.const(name + ".b.scale", (scales * p["x_scale"]).astype(np.float32))
    b = net.node("DequantizeLinear", [net.const(name + ".b.q", t[p["bias"]["@array"]].astype(np.int32)), bs, net.const(name + ".b.zero", np.zeros(len(scales), np.int32))], name + ".b", axis=0)
    k = c["kernel_size"][0]
    stride = c.get("stride") or 1
    stride = stride[0] if isinstance(stride, list) else stride
    y = net.node("Conv", [x, w, b], kernel_shape=[k, k], strides=[stride] * 2, pads=[k // 2] * 4, group=c["groups"])
    return net.quantise(y, name + ".y", p["y_scale"], p["y_zero"])


def main():
    folder, classes, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    rng = np.random.default_rng(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    j = json.load(open(folder + "/mbv2-w0.35.json"))
    t = tensors(folder + "/mbv2-w0.35.safetensors")
    net, first = Net(), j["first_conv"]
    x = net.quantise(net.node("Transpose", ["x"], perm=[0, 3, 1, 2]), "x", first["params"]["x_scale"], first["params"]["x_zero"])
    x, n = conv(net, x, "conv00", first, t), 1
    for block in j["blocks"]:
        start = x
        for part in ("pointwise1", "depthwise", "pointwise2"):
            if not block[part]:
                continue
            x, n = conv(net, x, f"conv{n:02d}", block[part], t), n + 1
        if block["residual"]:
            r = block["residual"]["params"]
            x = net.quantise(net.node("Add", [start, x]), f"add{n}", r["y_scale"], r["y_zero"])
    last = j["classifier"]
    x = net.quantise(net.node("GlobalAveragePool", [x]), "mean", last["params"]["x_scale"], last["params"]["x_zero"])
    x = net.node("Flatten", [x], axis=1)
    c = last["in_channel"]
    bound = 1 / np.sqrt(c)
    w = net.const("head.w", rng.uniform(-bound, bound, (classes, c)).astype(np.float32))
    y = net.node("Gemm", [x, w, net.const("head.b", np.zeros(classes, np.float32))], transB=1)
    net.nodes[-1].output[0] = "y"
    side = first["in_shape"]
    graph = helper.make_graph(net.nodes, "mbv2-w0.35", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, side, side, 3])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, classes])], net.inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, out)


main()
