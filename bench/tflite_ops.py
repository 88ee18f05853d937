#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Single TensorFlow Lite operators, int8, int16 and uint8 and a few of other formats, with random scales and shapes: every byte against TFLite's reference kernels.

usage: tflite_ops.py COPPICE [-n ROUNDS]     needs numpy, flatbuffers, ai_edge_litert; prints a line an operator
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np

try:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as S
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:
    sys.exit("skipped: ai_edge_litert is not installed")

KIND = {np.int8: S.TensorType.INT8, np.int16: S.TensorType.INT16, np.int64: S.TensorType.INT64, np.uint8: S.TensorType.UINT8, np.int32: S.TensorType.INT32, np.float32: S.TensorType.FLOAT32, np.bool_: S.TensorType.BOOL}


def tensor(model, shape, dtype, scale=None, zero=0, data=None, axis=0):
    t, b = S.TensorT(), S.BufferT()
    t.shape, t.type, t.name, t.buffer = list(shape), KIND[dtype], "t%d" % len(model.subgraphs[0].tensors), len(model.buffers)
    if data is not None:
        b.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
    if scale is not None:
        q = S.QuantizationParametersT()
        q.scale = [float(v) for v in np.atleast_1d(scale)]
        q.zeroPoint = [int(v) for v in np.broadcast_to(zero, len(q.scale))]
        q.quantizedDimension = axis
        t.quantization = q
    model.buffers.append(b)
    model.subgraphs[0].tensors.append(t)
    return len(model.subgraphs[0].tensors) - 1


def new():
    m, g = S.ModelT(), S.SubGraphT()
    m.version, m.buffers, m.subgraphs, m.operatorCodes = 3, [S.BufferT()], [g], []
    g.tensors, g.operators = [], []
    return m


def operator(model, code, ins, outs, options=None, kind=0):
    c, o = S.OperatorCodeT(), S.OperatorT()
    c.builtinCode, c.deprecatedBuiltinCode, c.version = code, min(code, 127), 1
    o.opcodeIndex, o.inputs, o.outputs, o.builtinOptions, o.builtinOptionsType = len(model.operatorCodes), ins, outs, options, kind
    model.operatorCodes.append(c)
    model.subgraphs[0].operators.append(o)


def finish(model, ins, outs):
    model.subgraphs[0].inputs, model.subgraphs[0].outputs = ins, outs
    b = flatbuffers.Builder(1024)
    b.Finish(model.Pack(b), b"TFL3")
    return bytes(b.Output())


def options(name, **fields):
    o = getattr(S, name + "T")()
    for k, v in fields.items():
        setattr(o, k, v)
    return o, getattr(S.BuiltinOptions, name)


OPS = {v: k for k, v in vars(S.BuiltinOperator).items() if isinstance(v, int)}
OP = {v: k for k, v in OPS.items()}


def spread(b, dt):
    """Bytes as numbers of a format: eighths, whole numbers, truths."""
    if dt == np.int16:
        return ((b.astype(np.int32) * 40503 & 0xFFFF) - 32768).astype(np.int16)
    return b.view(dt) if dt in (np.int8, np.uint8) else b % 2 > 0 if dt == np.bool_ else (b.astype(np.float32) - 128) / 8 if dt == np.float32 else b.astype(dt) - dt(128)


class Case:
    """One random model: r draws, dt is the number format; batch: the first axis stays 1."""

    def __init__(self, r, dt, batch=True):
        self.r, self.dt, self.m, self.batch = r, dt, new(), batch
        self.info = np.iinfo(dt if dt in (np.int8, np.uint8, np.int16) else np.int8)

    def zero(self):
        return 0 if self.dt == np.int16 else int(self.r.integers(self.info.min, self.info.max + 1))

    def scale(self, lo=-7, hi=-2):
        finer = 8 if self.dt == np.int16 else 0
        return float(np.float32(2 ** self.r.uniform(lo - finer, hi - finer)))

    def act(self, shape, scale=None, zero=None):
        return tensor(self.m, shape, self.dt, scale or self.scale(), self.zero() if zero is None else zero)

    def bytes(self, shape):
        if self.dt not in (np.int8, np.uint8, np.int16):
            return spread(self.r.integers(0, 256, shape, np.uint8), self.dt)
        return self.r.integers(self.info.min, self.info.max, shape, self.dt, endpoint=True)

    def weights(self, shape, outs, axis):
        if self.dt == np.uint8:
            return tensor(self.m, shape, np.uint8, self.scale(-9, -6), self.zero(), self.bytes(shape)), None
        per = self.batch and self.r.random() < 0.7
        s = np.float32(2 ** self.r.uniform(-9, -6, outs if per else 1))
        return tensor(self.m, shape, np.int8, s, 0, self.r.integers(-127, 128, shape, np.int8), axis), s


def layer(c, code):
    r = c.r
    h, w, ci, co, k = int(r.integers(3, 9)), int(r.integers(3, 9)), int(r.integers(1, 9)), int(r.integers(1, 9)), int(r.integers(1, 4))
    pad, stride, act = int(r.integers(0, 2)), int(r.integers(1, 3)), int(r.choice([0, 0, 1, 3]))
    depth = code == OP["DEPTHWISE_CONV_2D"]
    if code == OP["FULLY_CONNECTED"]:
        n = int(r.integers(1, 5))
        x, y = c.act([n, ci]), c.act([n, co])
        wt, _ = c.weights([co, ci], co, 0)
        o = options("FullyConnectedOptions", fusedActivationFunction=act)
    else:
        mult = int(r.integers(1, 3))
        co = ci * mult if depth else co
        x = c.act([1, h, w, ci])
        wt, _ = c.weights([1, k, k, co] if depth else [co, k, k, ci], co, 3 if depth else 0)
        ho, wo = (-(-h // stride), -(-w // stride)) if pad == 0 else ((h - k) // stride + 1, (w - k) // stride + 1)
        y = c.act([1, ho, wo, co])
        extra = {"depthMultiplier": mult} if depth else {}
        o = options("DepthwiseConv2DOptions" if depth else "Conv2DOptions", padding=pad, strideW=stride, strideH=stride, fusedActivationFunction=act, dilationWFactor=1, dilationHFactor=1, **extra)
    t = c.m.subgraphs[0].tensors
    bs = np.float32(t[x].quantization.scale[0]) * np.float32(t[wt].quantization.scale)
    b = tensor(c.m, [co], np.int64, bs, 0, r.integers(-300000, 300000, co, np.int64)) if c.dt == np.int16 else tensor(c.m, [co], np.int32, bs, 0, r.integers(-3000, 3000, co, np.int32))
    operator(c.m, code, [x, wt, b], [y], *o)
    return [x], y


def binary(c, code):
    shape = [1, int(c.r.integers(1, 6)), int(c.r.integers(1, 6)), int(c.r.integers(1, 9))]
    act = int(c.r.choice([0, 0, 1, 3]))
    name, s, z = OPS[code], c.scale(), c.zero()
    extreme = name in ("MAXIMUM", "MINIMUM")
    x = c.act(shape, s if extreme else None, z if extreme else None)
    form = int(c.r.integers(0, 4))
    small = [[1 if c.r.random() < 0.5 else d for d in shape], shape[-int(c.r.integers(1, 4)):], [1], shape][form]
    b = tensor(c.m, small, c.dt, s, z, c.bytes(small)) if c.r.random() < 0.4 else c.act(small, s, z)
    if c.r.random() < 0.1:
        b = x
    ins = [x] if b == x or c.m.buffers[c.m.subgraphs[0].tensors[b].buffer].data is not None else [x, b]
    y = c.act(shape, s, z) if extreme else c.act(shape, c.scale(-3, 0) if name == "MUL" else c.scale(-5, -1))
    o = (None, 0) if extreme else options({"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}[name], fusedActivationFunction=act, **({"potScaleInt16": False} if name != "MUL" else {}))
    pair = [b, x] if c.r.random() < 0.3 else [x, b]
    operator(c.m, code, pair, [y], *(options("MaximumMinimumOptions") if extreme else o))
    return ins, y


def prelu(c, code):
    shape = [1, int(c.r.integers(1, 6)), int(c.r.integers(1, 6)), int(c.r.integers(1, 9))]
    small = [[1, 1, shape[3]], [1], [shape[3]], shape[1:]][int(c.r.integers(0, 4))]
    x, a, y = c.act(shape), tensor(c.m, small, c.dt, c.scale(-9, -6), c.zero(), c.bytes(small)), c.act(shape)
    operator(c.m, code, [x, a], [y])
    return [x], y


def whole(c, code):
    x, b, y = (tensor(c.m, [1, 40], np.int32) for _ in range(3))
    operator(c.m, code, [x, b], [y], *options({"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}[OPS[code]], fusedActivationFunction=int(c.r.integers(0, 4))))
    return [x, b], y


def cast(c, code):
    to = [t for t in (np.float32, np.int32, np.int8, np.uint8, np.bool_) if t != c.dt]
    x, y = tensor(c.m, [1, 40], c.dt), tensor(c.m, [1, 40], to[int(c.r.integers(0, 4))])
    operator(c.m, code, [x], [y], *options("CastOptions"))
    return [x], y


def window(c, code):
    """A slice whose ends are counted from where it begins."""
    h, w = int(c.r.integers(3, 9)), int(c.r.integers(3, 9))
    b = [int(c.r.integers(0, h - 1)), -int(c.r.integers(1, w))]
    n = [int(c.r.integers(1, h - b[0] + 1)), int(c.r.integers(1, -b[1] + 1))]
    x, y = tensor(c.m, [1, h, w], c.dt), tensor(c.m, [1, *n], c.dt)
    at = [tensor(c.m, [3], np.int32, data=np.array(v, np.int32)) for v in ([0, *b], [1, *n], [1, 1, 1])]
    operator(c.m, code, [x, *at], [y], *options("StridedSliceOptions", offset=True))
    return [x], y


def unary(c, code):
    name, low = OPS[code], c.info.min
    roots = name in ("SQRT", "RSQRT")  # TFLite stops at numbers below 0
    x = c.act([1, 16, 16], c.scale(-12, 0) if c.r.random() < 0.3 else c.scale(-6, -2), low if roots else None)
    if c.dt == np.int16 and name in ("LOGISTIC", "SOFTMAX", "TANH"):
        y = c.act([1, 16, 16], 1 / 32768)
    elif name in ("LOGISTIC", "SOFTMAX"):
        y = c.act([1, 16, 16], 1 / 256, low)
    elif name == "TANH":
        y = c.act([1, 16, 16], 1 / 128, low + 128)
    elif name == "LOG_SOFTMAX":
        y = c.act([1, 16, 16], 16 / 256, low + 255)
    elif name == "ABS" and c.r.random() < 0.3:
        y = c.act([1, 16, 16], c.m.subgraphs[0].tensors[x].quantization.scale[0])
    else:
        y = c.act([1, 16, 16], c.scale(-6, -2) if name != "HARD_SWISH" else c.scale(-4, -2))
    o = options("LeakyReluOptions", alpha=float(np.float32(c.r.uniform(0, 0.5)))) if name == "LEAKY_RELU" else options("SoftmaxOptions", beta=1.0) if name == "SOFTMAX" else options("GeluOptions", approximate=bool(c.r.integers(0, 2))) if name == "GELU" else (None, 0)
    operator(c.m, code, [x], [y], *o)
    return [x], y


def pool(c, code):
    h, w, ch, k = int(c.r.integers(2, 9)), int(c.r.integers(2, 9)), int(c.r.integers(1, 9)), int(c.r.integers(1, 3))
    pad, stride = int(c.r.integers(0, 2)), int(c.r.integers(1, 3))
    s, z = c.scale(), c.zero()
    ho, wo = (-(-h // stride), -(-w // stride)) if pad == 0 else ((h - k) // stride + 1, (w - k) // stride + 1)
    x, y = c.act([1, h, w, ch], s, z), c.act([1, ho, wo, ch], s, z)
    operator(c.m, code, [x], [y], *options("Pool2DOptions", padding=pad, strideW=stride, strideH=stride, filterWidth=k, filterHeight=k, fusedActivationFunction=int(c.r.choice([0, 0, 1, 3]))))
    return [x], y


def reduce(c, code):
    rank = int(c.r.integers(2, 5))
    shape, keep = [1] + [int(v) for v in c.r.integers(1, 7, rank - 1)], bool(c.r.integers(0, 2))
    axes = sorted(int(v) for v in c.r.permutation(rank)[:int(c.r.integers(1, rank + 1))])
    if 0 in axes and not c.batch:
        shape[0] = int(c.r.integers(1, 5))
    if c.r.random() < 0.3:
        axes, shape = [1, 2], [1] + [int(v) for v in c.r.integers(1, 9, 3)]
    left = [1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes]
    s, z = c.scale(), c.zero()
    same = OPS[code] in ("REDUCE_MAX", "REDUCE_MIN") or c.r.random() < 0.2
    x, y = c.act(shape, s, z), c.act(left, s if same else None, z if same else None)
    a = tensor(c.m, [len(axes)], np.int32, data=np.array([v - len(shape) if c.r.random() < 0.2 else v for v in axes], np.int32))
    operator(c.m, code, [x, a], [y], *options("ReducerOptions", keepDims=keep))
    return [x], y


def move(c, code):
    name, h, w, ch = OPS[code], int(c.r.integers(2, 7)), int(c.r.integers(2, 7)), int(c.r.integers(1, 6))
    s, z = c.scale(), c.zero()
    x = c.act([1, h, w, ch], s, z)

    def ints(v):
        return tensor(c.m, np.shape(v), np.int32, data=np.array(v, np.int32))

    if name in ("PAD", "MIRROR_PAD"):
        p = np.zeros((4, 2), np.int32)
        p[1:3] = c.r.integers(0, 2, (2, 2))
        y = c.act([1, h + p[1].sum(), w + p[2].sum(), ch], s, z)
        operator(c.m, code, [x, ints(p)], [y], *(options("MirrorPadOptions", mode=int(c.r.integers(0, 2))) if name == "MIRROR_PAD" else options("PadOptions")))
    elif name == "TRANSPOSE":
        q = [0] + [1 + int(v) for v in c.r.permutation(3)]
        y = c.act([[1, h, w, ch][v] for v in q], s, z)
        operator(c.m, code, [x, ints(q)], [y], *options("TransposeOptions"))
    elif name == "CONCATENATION":
        s2, z2 = (s, z) if c.dt in (np.int8, np.int16) else (c.scale(), c.zero())
        k = tensor(c.m, [1, h, w, 2], c.dt, s2, z2, c.bytes([1, h, w, 2]))
        y = c.act([1, h, w, ch + 2], s, z)
        operator(c.m, code, [x, k], [y], *options("ConcatenationOptions", axis=3))
    elif name == "STRIDED_SLICE":
        f, st = int(c.r.integers(0, h - 1)), int(c.r.choice([1, 2, -1]))
        b, e = ([0, f, 0, 0], [1, h, w, ch]) if st > 0 else ([0, h - 1, 0, 0], [1, f, w, ch])
        y = c.act([1, len(range(b[1], e[1], st)), w, ch], s, z)
        operator(c.m, code, [x, ints(b), ints(e), ints([1, st, 1, 1])], [y], *options("StridedSliceOptions"))
    elif name == "QUANTIZE":
        y = c.act([1, h, w, ch])
        operator(c.m, code, [x], [y], *options("QuantizeOptions"))
    elif name == "RESHAPE":
        y = c.act([1, h * w, ch], s, z)
        operator(c.m, code, [x, ints([1, -1, ch])], [y], *options("ReshapeOptions", newShape=[1, -1, ch]))
    else:  # resize
        ho, wo, align = int(c.r.integers(1, 12)), int(c.r.integers(1, 12)), bool(c.r.integers(0, 2))
        half = not align and bool(c.r.integers(0, 2))
        y = c.act([1, ho, wo, ch], s, z)
        kind = "ResizeNearestNeighborOptions" if "NEAREST" in name else "ResizeBilinearOptions"
        operator(c.m, code, [x, ints([ho, wo])], [y], *options(kind, alignCorners=align, halfPixelCenters=half))
    return [x], y


BYTES, WIDE, ALL = (np.int8, np.uint8), (np.int8, np.uint8, np.int16), (np.float32, np.int32, np.int8, np.uint8, np.bool_)
CASES = [
    (whole, "ADD SUB MUL", (np.int32,)),
    (cast, "CAST", ALL),
    (window, "STRIDED_SLICE", (np.float32,)),
    (layer, "CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED", WIDE),
    (binary, "ADD SUB MUL MAXIMUM MINIMUM", WIDE),
    (prelu, "PRELU", BYTES),
    (pool, "AVERAGE_POOL_2D MAX_POOL_2D", WIDE),
    (reduce, "MEAN SUM REDUCE_MAX REDUCE_MIN", BYTES),
    (reduce, "MEAN", (np.int16,)),
    (unary, "RELU RELU6 RELU_N1_TO_1 LOGISTIC TANH SOFTMAX", (np.int16,)),
    (move, "RESHAPE QUANTIZE PAD TRANSPOSE CONCATENATION STRIDED_SLICE", (np.int16,)),
    (unary, "LOGISTIC TANH RELU RELU6 RELU_N1_TO_1 LEAKY_RELU HARD_SWISH SOFTMAX LOG_SOFTMAX ABS NEG SQRT RSQRT EXP LOG ELU GELU SQUARE", BYTES),
    (move, "RESHAPE QUANTIZE PAD MIRROR_PAD TRANSPOSE CONCATENATION STRIDED_SLICE RESIZE_NEAREST_NEIGHBOR RESIZE_BILINEAR", BYTES),
]


def run(coppice, data, xs, folder, isa):
    names = ["%s/x%d.npy" % (folder, i) for i in range(len(xs))]
    open(folder + "/m.tflite", "wb").write(data)
    for name, x in zip(names, xs):
        np.save(name, x)
    r = subprocess.run([coppice, "run", folder + "/m.tflite", *names, "-o", folder + "/y.npy"], capture_output=True, text=True, env={**os.environ, "COPPICE_ISA": isa})
    return (np.load(folder + "/y.npy"), "") if r.returncode == 0 else (None, r.stderr.strip())


def reference(data, xs):
    """One run for each entry of the first axis where the network takes one at a time."""
    it = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    if it._get_ops_details()[0]["op_name"] == "SUM" and xs[0].dtype == np.int8:  # the reference kernel takes its bytes for uint8, the other computes in floats
        it = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    it.allocate_tensors()
    times, out = len(xs[0]) // it.get_input_details()[0]["shape"][0] if len(xs) == 1 else 1, []
    for k in range(times):
        for d, x in zip(it.get_input_details(), xs):
            n = len(x) // times if len(d["shape"]) else 1
            it.set_tensor(d["index"], x[k * n:(k + 1) * n].reshape(d["shape"]))
        it.invoke()
        out.append(it.get_tensor(it.get_output_details()[0]["index"]).copy())
    return np.concatenate([np.atleast_1d(y) for y in out])


def inputs(c, ins, make):
    """A batch of five of what takes a batch."""
    shapes = [list(c.m.subgraphs[0].tensors[i].shape) for i in ins]
    if len(ins) == 1 and make not in (reduce, binary, window) and shapes[0][0] == 1:
        shapes[0][0] = 5
    if make is unary and c.dt != np.int16:
        return [np.tile(np.arange(c.info.min, c.info.max + 1), 5).astype(c.dt).reshape(5, 16, 16)]
    return [c.bytes(s) for s in shapes]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("coppice")
    p.add_argument("-n", type=int, default=20)
    p.add_argument("--only", default="")
    p.add_argument("--isa", default="ref")
    a = p.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for make, names, formats in CASES:
            for name in names.split():
                for dt in formats:
                    equal, bytes_, differ, most, why, no = 0, 0, 0, 0, "", ""
                    if a.only and name not in a.only.split(","):
                        continue
                    for k in range(a.n):
                        c = Case(np.random.default_rng(k), dt)
                        ins, y = make(c, OP[name])
                        data = finish(c.m, ins, [y])
                        xs = inputs(c, ins, make)
                        try:
                            want = reference(data, xs)
                        except Exception as e:  # the interpreter does not take it
                            no = str(e).splitlines()[0][:80]
                            continue
                        got, why_ = run(a.coppice, data, xs, folder, a.isa)
                        if got is None:
                            why = why_
                            continue
                        if got.size != want.size:
                            why, differ = f"seed {k}: {got.shape} for {want.shape}", differ + 1
                            continue
                        d = np.abs(got.reshape(want.shape).astype(int) - want.astype(int))
                        bytes_, differ, most = bytes_ + d.size, differ + (d > 0).sum(), max(most, d.max())
                    kind = np.dtype(dt).name
                    if bytes_:
                        print(f"{name} {kind}: {'every byte equal' if not differ else f'{differ} differ, by {most} at most'} ({bytes_} bytes){', some refused: ' + why if why else ''}", flush=True)
                        bad += differ > 0
                    else:
                        print(f"{name} {kind}: {why or 'not in the interpreter: ' + no}", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
