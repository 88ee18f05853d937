# SPDX-License-Identifier: Apache-2.0
"""One network for several engines: TensorFlow Lite files are read into a list of layers, and written as ONNX (float, or int8 as
QDQ pairs) and for ncnn (float, or int8 with the file's scales). And MobileNetV2 1.0 at 224 is made as a TensorFlow Lite file, with
random weights. For bench/peers.py; covers the layers of those networks and no more.
"""
import os
import struct

import numpy as np
from ai_edge_litert import schema_py_generated as S

OP = S.BuiltinOperator
DTYPE = {0: np.float32, 2: np.int32, 9: np.int8}


class Layer:
    """op: conv dw fc add pool softmax. w is OHWI (dw: 1HWC), scales are lists by channel."""

    def __init__(self, op, ins, out, **more):
        self.op, self.ins, self.out = op, ins, out
        self.__dict__.update(more)


class Net:
    def __init__(self, path):
        m = S.ModelT.InitFromObj(S.Model.GetRootAsModel(open(path, "rb").read(), 0))
        self.m, self.g, self.layers, self.same = m, m.subgraphs[0], [], {}
        t = self.g.tensors[self.g.inputs[0]]
        self.shape, self.int8 = [int(d) for d in t.shape], t.type == 9
        self.input, self.output = int(self.g.inputs[0]), int(self.g.outputs[0])
        for o in self.g.operators:
            c = m.operatorCodes[o.opcodeIndex]
            self.add(max(c.builtinCode, c.deprecatedBuiltinCode), [int(i) for i in o.inputs], int(o.outputs[0]), o.builtinOptions)
        self.output = self.name(self.output)

    def name(self, i):
        return self.same.get(i, i)

    def data(self, i):
        t = self.g.tensors[i]
        a = np.frombuffer(bytes(self.m.buffers[t.buffer].data), DTYPE[t.type]).reshape([int(d) for d in t.shape])
        if t.type == 9 and not self.int8:  # a float network with some weights in int8
            a = (a.astype(np.float32) - self.scale(i)[1]) * self.scale(i)[0][0]
        return a

    def scale(self, i):
        q = self.g.tensors[i].quantization
        return np.array(q.scale, np.float32), int(q.zeroPoint[0])

    def add(self, op, ins, out, p):
        x = [self.name(i) for i in ins]
        act = getattr(p, "fusedActivationFunction", 0)
        if op in (OP.CONV_2D, OP.DEPTHWISE_CONV_2D, OP.FULLY_CONNECTED):
            w, b = self.data(ins[1]), self.data(ins[2])
            layer = Layer({OP.CONV_2D: "conv", OP.DEPTHWISE_CONV_2D: "dw"}.get(op, "fc"), x[:1], out, w=w, b=b, wq=ins[1], act=act)
            if op != OP.FULLY_CONNECTED:
                layer.stride = (p.strideH, p.strideW)
                shape = [int(d) for d in self.g.tensors[ins[0]].shape]
                layer.pad = [self.pads(shape[1 + a], w.shape[1 + a], layer.stride[a]) if p.padding == 0 else (0, 0) for a in (0, 1)]
            self.layers.append(layer)
        elif op == OP.ADD:
            self.layers.append(Layer("add", x, out, act=act))
        elif op in (OP.AVERAGE_POOL_2D, OP.MEAN):
            self.layers.append(Layer("pool", x[:1], out))
        elif op == OP.SOFTMAX:
            self.layers.append(Layer("softmax", x, out))
        elif op == OP.RESHAPE:
            self.same[out] = x[0]
        else:
            raise ValueError(f"operator {op} is not one of those networks'")

    @staticmethod
    def pads(n, k, s):
        total = max(0, (-(-n // s) - 1) * s + k - n)
        return total // 2, total - total // 2


# ---- ONNX ----


def write_onnx(net, path):
    """Channels first; an int8 network gets a DequantizeLinear before and a QuantizeLinear after each operator."""
    import onnx
    from onnx import TensorProto as T
    from onnx import helper as H
    from onnx import numpy_helper as N

    nodes, consts = [], []

    def const(name, a):
        consts.append(N.from_array(np.ascontiguousarray(a), name))
        return name

    def op(kind, ins, out, **attrs):
        nodes.append(H.make_node(kind, ins, [out], **attrs))
        return out

    def value(i):  # a float: through DequantizeLinear when int8
        if not net.int8:
            return f"t{i}"
        s, z = net.scale(i)
        return op("DequantizeLinear", [f"t{i}", const(f"s{len(nodes)}", s[0]), const(f"z{len(nodes)}", np.int8(z))], f"d{i}_{len(nodes)}")

    def weight(l, w):
        name = f"w{l.out}"
        if not net.int8:
            return const(name, w), const(f"b{l.out}", l.b)
        s, _ = net.scale(l.wq)
        sx, _ = net.scale(l.ins[0])
        zero, axis = np.zeros(len(s), np.int8), {"axis": 0} if len(s) > 1 else {}
        if len(s) == 1:
            s, zero = s[0], zero[0]
        q = op("DequantizeLinear", [const(name, w), const(name + "s", s), const(name + "z", zero)], name + "d", **axis)
        b = op("DequantizeLinear", [const(f"b{l.out}", l.b), const(f"b{l.out}s", s * sx[0])], f"b{l.out}d", **axis)
        return q, b

    for l in net.layers:
        x, y = [value(i) for i in l.ins], f"f{l.out}" if net.int8 else f"t{l.out}"
        last = y if not getattr(l, "act", 0) else y + "a"
        if l.op in ("conv", "dw"):
            w, b = weight(l, l.w.transpose(0, 3, 1, 2) if l.op == "conv" else l.w.transpose(3, 0, 1, 2))
            (t, d), (left, r) = l.pad
            op("Conv", [x[0], w, b], last, kernel_shape=l.w.shape[1:3], strides=l.stride, pads=[t, left, d, r], group=1 if l.op == "conv" else l.w.shape[3])
        elif l.op == "fc":
            w, b = weight(l, l.w)
            op("Gemm", [op("Flatten", x, f"flat{l.out}"), w, b], last, transB=1)
        elif l.op == "add":
            op("Add", x, last)
        elif l.op == "pool":
            op("GlobalAveragePool", x, last)
        else:
            op("Softmax", x, last, axis=-1)
        if last != y and l.act == 1:
            op("Relu", [last], y)
        elif last != y:
            op("Clip", [last, const(y + "lo", np.float32(0)), const(y + "hi", np.float32(6))], y)
        if net.int8:
            s, z = net.scale(l.out)
            op("QuantizeLinear", [y, const(f"qs{l.out}", s[0]), const(f"qz{l.out}", np.int8(z))], f"t{l.out}")
    n, *dims = net.shape
    shape = [n, dims[2], dims[0], dims[1]] if len(dims) == 3 else net.shape
    kind = T.INT8 if net.int8 else T.FLOAT
    g = H.make_graph(nodes, "net", [H.make_tensor_value_info(f"t{net.input}", kind, shape)], [H.make_tensor_value_info(f"t{net.output}", kind, None)], consts)
    onnx.save(H.make_model(g, opset_imports=[H.make_opsetid("", 17)], ir_version=8), path)


# ---- ncnn ----


def write_ncnn(net, path):
    """path.param and path.bin. int8: weights and scales of the file, zero points left out (ncnn has none): the same work, not the same numbers."""
    lines, blobs, data = [], 0, bytearray()
    reads = [i for l in net.layers for i in l.ins]
    seen = {}

    def put(kind, ins, out, params=""):
        nonlocal blobs
        lines.append(f"{kind} l{len(lines)} {len(ins)} {len(out)} {' '.join(ins + out)} {params}".rstrip())
        blobs += len(out)

    def read(i):  # a value that several layers read goes through a Split
        seen[i] = seen.get(i, -1) + 1
        return f"t{i}_{seen[i]}" if reads.count(i) > 1 else f"t{i}"

    def made(i):
        if reads.count(i) > 1:
            put("Split", [f"t{i}"], [f"t{i}_{k}" for k in range(reads.count(i))])

    def weights(l, w):
        nonlocal data
        if not net.int8:
            data += struct.pack("<I", 0) + np.ascontiguousarray(w, np.float32).tobytes() + l.b.tobytes()
            return
        s, (sx, _) = net.scale(l.wq)[0], net.scale(l.ins[0])
        raw = np.ascontiguousarray(w).tobytes()
        data += struct.pack("<I", 0x000D4B38) + raw + b"\0" * (-len(raw) % 4) + (l.b * s * sx[0]).astype(np.float32).tobytes()
        data += np.broadcast_to(1 / s, l.b.shape).astype(np.float32).tobytes() + (1 / sx[:1]).astype(np.float32).tobytes()

    put("Input", [], [f"t{net.input}"])
    made(net.input)
    for l in net.layers:
        y, act = [f"t{l.out}"], {1: " 9=1", 3: " 9=3 -23310=2,0.0,6.0"}.get(getattr(l, "act", 0), "")
        x = [read(i) for i in l.ins]
        if l.op in ("conv", "dw"):
            w = l.w.transpose(0, 3, 1, 2) if l.op == "conv" else l.w.transpose(3, 0, 1, 2)
            weights(l, w)
            (t, d), (left, r) = l.pad
            s = f"0={len(l.b)} 1={l.w.shape[2]} 11={l.w.shape[1]} 3={l.stride[1]} 13={l.stride[0]} 4={left} 14={t} 15={r} 16={d} 5=1 6={w.size}"
            put("Convolution" if l.op == "conv" else "ConvolutionDepthWise", x, y, s + ("" if l.op == "conv" else f" 7={len(l.b)}") + (" 8=1" if net.int8 else "") + act)
        elif l.op == "fc":
            weights(l, l.w)
            put("InnerProduct", x, y, f"0={len(l.b)} 1=1 2={l.w.size}" + (" 8=2" if net.int8 else "") + act)
        elif l.op == "add":
            put("BinaryOp", x, y if not l.act else [y[0] + "a"], "0=0")
            if l.act:
                put("ReLU", [y[0] + "a"], y)
        elif l.op == "pool":
            put("Pooling", x, y, "0=1 4=1")
        else:
            put("Softmax", x, y, "0=0")
        made(l.out)
    open(path + ".param", "w").write("7767517\n%d %d\n%s\n" % (len(lines), blobs, "\n".join(lines)))
    open(path + ".bin", "wb").write(data)


# ---- MobileNetV2 ----


def divisible(v):
    n = max(8, int(v + 4) // 8 * 8)
    return n + 8 if n < 0.9 * v else n


class Maker:
    def __init__(self, int8):
        self.int8, self.rng = int8, np.random.default_rng(1)
        self.m = S.ModelT()
        self.m.version, self.m.operatorCodes, self.m.buffers, self.kinds = 3, [], [S.BufferT()], []
        self.g = S.SubGraphT()
        self.g.tensors, self.g.operators = [], []

    def tensor(self, shape, scale=None, zero=0, data=None, axis=0):
        t = S.TensorT()
        t.shape, t.name, t.buffer = np.array(shape, np.int32), f"t{len(self.g.tensors)}", 0
        t.type = 0 if not self.int8 else 2 if data is not None and data.dtype == np.int32 else 9
        if self.int8:
            q = t.quantization = S.QuantizationParametersT()
            q.scale, q.quantizedDimension = np.atleast_1d(np.array(scale, np.float32)), axis
            q.zeroPoint = np.full(len(q.scale), zero, np.int64)
        if data is not None:
            b = S.BufferT()
            b.data, t.buffer = np.frombuffer(data.tobytes(), np.uint8), len(self.m.buffers)
            self.m.buffers.append(b)
        self.g.tensors.append(t)
        return len(self.g.tensors) - 1

    def op(self, kind, ins, out, options, options_type):
        if kind not in self.kinds:
            c = S.OperatorCodeT()
            c.builtinCode = c.deprecatedBuiltinCode = kind
            self.kinds.append(kind)
            self.m.operatorCodes.append(c)
        o = S.OperatorT()
        o.opcodeIndex, o.inputs, o.outputs = self.kinds.index(kind), np.array(ins, np.int32), np.array([out], np.int32)
        o.builtinOptions, o.builtinOptionsType = options, options_type
        self.g.operators.append(o)
        return out

    def value(self, shape, act):
        return self.tensor(shape, *((6 / 255, -128) if act else (0.05, 3)))

    def layer(self, kind, x, o, k=1, s=1, act=3):
        n, h, w, c = [int(d) for d in self.g.tensors[x].shape] if kind != OP.FULLY_CONNECTED else [1, 1, 1, int(self.g.tensors[x].shape[-1])]
        shape = {OP.CONV_2D: [o, k, k, c], OP.DEPTHWISE_CONV_2D: [1, k, k, c]}.get(kind, [o, c])
        fan = k * k * (1 if kind == OP.DEPTHWISE_CONV_2D else c)
        real = self.rng.normal(0, (2 / fan) ** 0.5, shape).astype(np.float32)
        axis = 3 if kind == OP.DEPTHWISE_CONV_2D else 0
        if self.int8:
            ws = np.maximum(np.abs(real).max(tuple(i for i in range(len(shape)) if i != axis)), 1e-3) / 127
            sx = float(self.g.tensors[x].quantization.scale[0])
            wd = np.round(real / (ws.reshape([-1 if i == axis else 1 for i in range(len(shape))]))).astype(np.int8)
            wt, b = self.tensor(shape, ws, 0, wd, axis), self.tensor([o], ws * sx, 0, np.zeros(o, np.int32))
        else:
            wt, b = self.tensor(shape, data=real), self.tensor([o], data=np.zeros(o, np.float32))
        if kind == OP.FULLY_CONNECTED:
            p, y = S.FullyConnectedOptionsT(), self.value([1, o], 0)
            return self.op(kind, [x, wt, b], y, p, S.BuiltinOptions.FullyConnectedOptions)
        conv = kind == OP.CONV_2D
        p = S.Conv2DOptionsT() if conv else S.DepthwiseConv2DOptionsT()
        p.padding, p.strideH, p.strideW, p.fusedActivationFunction, p.dilationHFactor, p.dilationWFactor = 0, s, s, act, 1, 1
        if not conv:
            p.depthMultiplier = 1
        return self.op(kind, [x, wt, b], self.value([1, -(-h // s), -(-w // s), o], act), p, S.BuiltinOptions.Conv2DOptions if conv else S.BuiltinOptions.DepthwiseConv2DOptions)

    def block(self, x, o, s, t):
        c = int(self.g.tensors[x].shape[3])
        y = self.layer(OP.CONV_2D, x, c * t) if t > 1 else x
        y = self.layer(OP.CONV_2D, self.layer(OP.DEPTHWISE_CONV_2D, y, c * t, 3, s), o, act=0)
        if s > 1 or c != o:
            return y
        return self.op(OP.ADD, [x, y], self.value(self.g.tensors[y].shape, 0), S.AddOptionsT(), S.BuiltinOptions.AddOptions)

    def save(self, x, y, path):
        import flatbuffers

        self.g.inputs, self.g.outputs = np.array([x], np.int32), np.array([y], np.int32)
        self.m.subgraphs = [self.g]
        b = flatbuffers.Builder(1 << 20)
        b.Finish(self.m.Pack(b), b"TFL3")
        open(path, "wb").write(bytes(b.Output()))


def write_mobilenet_v2(path, int8):
    m = Maker(int8)
    x = m.tensor([1, 224, 224, 3], 1 / 128, 0)
    y = m.layer(OP.CONV_2D, x, 32, 3, 2)
    for t, o, n, s in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(n):
            y = m.block(y, divisible(o), s if i == 0 else 1, t)
    y = m.layer(OP.CONV_2D, y, 1280)
    p = S.Pool2DOptionsT()
    p.padding, p.strideH, p.strideW, p.filterHeight, p.filterWidth = 1, 7, 7, 7, 7
    y = m.op(OP.AVERAGE_POOL_2D, [y], m.value([1, 1, 1, 1280], 3), p, S.BuiltinOptions.Pool2DOptions)
    r = S.ReshapeOptionsT()
    r.newShape = np.array([1, 1280], np.int32)
    y = m.op(OP.RESHAPE, [y], m.value([1, 1280], 3), r, S.BuiltinOptions.ReshapeOptions)
    m.save(x, m.layer(OP.FULLY_CONNECTED, y, 1000), path)


def prepare(source, folder, name):
    """(tflite, onnx, ncnn stem) of one network, written below folder."""
    path = os.path.join(folder, name)
    tflite = source or path + ".tflite"
    if not source:
        write_mobilenet_v2(tflite, name.endswith("int8"))
    net = Net(tflite)
    for write, end in ((write_onnx, ".onnx"), (write_ncnn, "")):
        try:
            write(net, path + end)
        except ImportError:
            pass
    return net, tflite, path + ".onnx", path
