#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Single TensorFlow Lite operators of floats, whole numbers and truth values, and what moves or compares int8: against TFLite's reference kernels.

usage: tflite_more.py COPPICE [-n ROUNDS] [NAME ...]     needs numpy, flatbuffers, ai_edge_litert; prints a line an operator

Reals agree within 1e-5 of the largest, everything else in every element.
"""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tflite_ops import KIND, OP, S, Interpreter, OpResolverType, finish, new, operator, options, tensor  # noqa: E402

KIND.update({np.bool_: S.TensorType.BOOL, np.int64: S.TensorType.INT64})
F, I, B, Q = np.float32, np.int32, np.bool_, np.int8


class Net:
    """One random operator: r draws; ins are the network's inputs, outs its results."""

    def __init__(self, r, dt):
        self.r, self.dt, self.m, self.ins, self.outs = r, dt, new(), [], []
        self.scale, self.zero = float(F(2 ** r.uniform(-7, -2))), int(r.integers(-100, 100))

    def n(self, lo, hi):
        return int(self.r.integers(lo, hi + 1))

    def shape(self, lo=1, hi=4, most=5):
        return [self.n(1, most) for _ in range(self.n(lo, hi))]

    def values(self, shape, dt):
        if dt == F:
            return self.r.normal(0, 2, shape).astype(F)
        if dt == B:
            return self.r.integers(0, 2, shape).astype(B)
        return self.r.integers(-9, 9, shape).astype(dt) if dt != Q else self.r.integers(-128, 128, shape).astype(Q)

    def some(self, shape, dt, data=None):
        q = {"scale": self.scale, "zero": self.zero} if dt == Q else {}
        return tensor(self.m, shape, dt, data=data, **q)

    def input(self, shape, dt=None, data=None):
        dt = dt or self.dt
        t = self.some(shape, dt)
        self.ins.append((t, self.values(shape, dt) if data is None else data))
        return t

    def const(self, v, dt=I):
        v = np.array(v, dt)
        return self.some(v.shape, dt, v)

    def out(self, shape, dt=None):
        self.outs.append(self.some(shape, dt or self.dt))
        return self.outs[-1]

    def either(self, shape, dt=None):
        """A second operand: an input, or a constant."""
        dt = dt or self.dt
        return self.input(shape, dt) if self.r.random() < 0.5 else self.const(self.values(shape, dt), dt)

    def axes(self, rank, least=1):
        a = [int(v) for v in self.r.permutation(rank)[: self.n(least, rank)]]
        return a, self.const([v - rank if self.r.random() < 0.5 else v for v in a], I)


def narrow(n, shape):
    """A shape that broadcasts to this one."""
    s = [d if n.r.random() < 0.6 else 1 for d in shape]
    return s[n.n(0, len(s) - 1):] if n.r.random() < 0.4 else s


def pair(n, name):
    shape = n.shape(1, 4)
    compares = name in ("LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL")
    a, other = n.input(shape), narrow(n, shape)
    if name in ("FLOOR_DIV", "FLOOR_MOD"):
        v = n.values(other, n.dt)
        b = n.const(np.where(v == 0, 3, v), n.dt)
    elif name == "POW":
        n.ins[0] = (a, np.abs(n.ins[0][1]))
        b = n.const(n.values(other, n.dt), n.dt)
    else:
        b = n.either(other)
        if n.dt == Q:  # scales of their own
            q = n.m.subgraphs[0].tensors[b].quantization
            q.scale, q.zeroPoint = [float(F(2 ** n.r.uniform(-7, -2)))], [n.n(-100, 100)]
    kind = {"FLOOR_DIV": "FloorDivOptions", "FLOOR_MOD": "FloorModOptions", "POW": "PowOptions", "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
            "LESS": "LessOptions", "LESS_EQUAL": "LessEqualOptions", "GREATER": "GreaterOptions", "GREATER_EQUAL": "GreaterEqualOptions", "EQUAL": "EqualOptions",
            "NOT_EQUAL": "NotEqualOptions", "LOGICAL_AND": "LogicalAndOptions", "LOGICAL_OR": "LogicalOrOptions"}[name]
    operator(n.m, OP[name], [a, b], [n.out(shape, B if compares else None)], *options(kind))


def unary(n, name):
    shape = n.shape()
    o = options("GeluOptions", approximate=bool(n.n(0, 1))) if name == "GELU" else (None, 0)
    operator(n.m, OP[name], [n.input(shape)], [n.out(shape)], *o)


def select(n, name):
    shape = n.shape(1, 4)
    if name == "SELECT":
        c = n.input(shape if n.r.random() < 0.5 else [shape[0]], B)
        operator(n.m, OP[name], [c, n.input(shape), n.input(shape)], [n.out(shape)], *options("SelectOptions"))
    else:
        operator(n.m, OP[name], [n.input(narrow(n, shape), B), n.input(shape), n.either(narrow(n, shape))], [n.out(shape)], *options("SelectV2Options"))


def reduce(n, name):
    shape, keep = n.shape(1, 4), bool(n.n(0, 1))
    a, t = n.axes(len(shape))
    out = [1 if i in a else d for i, d in enumerate(shape) if keep or i not in a]
    operator(n.m, OP[name], [n.input(shape), t], [n.out(out)], *options("ReducerOptions", keepDims=keep))


def arg(n, name):
    shape = n.shape(1, 4)
    a = n.n(0, len(shape) - 1)
    o = options("ArgMaxOptions" if name == "ARG_MAX" else "ArgMinOptions", outputType=S.TensorType.INT32)
    operator(n.m, OP[name], [n.input(shape), n.const(a - len(shape) if n.n(0, 1) else a)], [n.out(shape[:a] + shape[a + 1:], I)], *o)


def gather(n, name):
    shape, idx = n.shape(1, 3), n.shape(0, 2) if n.n(0, 1) else [n.n(1, 4)]
    a, batch = n.n(0, len(shape) - 1), 0
    if a == 1 and n.n(0, 1):
        batch, idx = 1, [shape[0], n.n(1, 4)]
    v = n.r.integers(0, shape[a], idx).astype(I)
    i = n.const(v, np.int64 if n.n(0, 1) else I) if n.n(0, 1) else n.input(idx, I, v)
    operator(n.m, OP[name], [n.input(shape), i], [n.out(shape[:a] + idx[batch:] + shape[a + 1:])], *options("GatherOptions", axis=a, batchDims=batch))


def gather_nd(n, name):
    shape, many = n.shape(2, 3), n.n(1, 4)
    k = n.n(1, len(shape))
    v = np.stack([n.r.integers(0, shape[i], many) for i in range(k)], 1).astype(I)
    operator(n.m, OP[name], [n.input(shape), n.const(v) if n.n(0, 1) else n.input([many, k], I, v)], [n.out([many] + shape[k:])], *options("GatherNdOptions"))


def one_hot(n, name):
    shape, depth = n.shape(1, 2), n.n(1, 6)
    a = n.n(-1, len(shape))
    at = len(shape) if a == -1 else a
    v = n.r.integers(-1, depth + 1, shape).astype(I)
    operator(n.m, OP[name], [n.input(shape, I, v), n.const(depth), n.const(3, n.dt), n.const(-1, n.dt)], [n.out(shape[:at] + [depth] + shape[at:])], *options("OneHotOptions", axis=a))


def top_k(n, name):
    shape = n.shape(1, 3)
    k = n.n(1, shape[-1])
    operator(n.m, OP[name], [n.input(shape), n.const(k)], [n.out(shape[:-1] + [k]), n.out(shape[:-1] + [k], I)], *options("TopKV2Options"))


def cumsum(n, name):
    shape = n.shape(1, 3, 9)
    operator(n.m, OP[name], [n.input(shape), n.const(n.n(-len(shape), len(shape) - 1))], [n.out(shape)], *options("CumsumOptions", exclusive=bool(n.n(0, 1)), reverse=bool(n.n(0, 1))))


def repeat(n, name):
    shape = n.shape(1, 4, 4)
    if name == "TILE":
        t = [n.n(1, 3) for _ in shape]
        operator(n.m, OP[name], [n.input(shape), n.const(t, np.int64 if n.n(0, 1) else I)], [n.out([a * b for a, b in zip(shape, t)])], *options("TileOptions"))
    elif name == "BROADCAST_TO":
        operator(n.m, OP[name], [n.input(narrow(n, shape)), n.const(shape)], [n.out(shape)], *options("BroadcastToOptions"))
        n.m.operatorCodes[0].version = 2
    elif name == "REVERSE_V2":
        a = n.const([n.n(0, len(shape) - 1)])
        operator(n.m, OP[name], [n.input(shape), a], [n.out(shape)], *options("ReverseV2Options"))
    elif name == "FILL":
        operator(n.m, OP[name], [n.const(shape), n.input([])], [n.out(shape)], *options("FillOptions"))
    elif name == "ADD_N":
        operator(n.m, OP[name], [n.input(shape), n.input(shape), n.input(shape)], [n.out(shape)], *options("AddNOptions"))


def norm(n, name):
    shape = n.shape(2, 4) if name == "L2_NORMALIZATION" else [1, n.n(1, 4), n.n(1, 4), n.n(1, 9)]
    o = options("L2NormOptions") if name == "L2_NORMALIZATION" else options("LocalResponseNormalizationOptions", radius=n.n(0, 4), bias=1.0, alpha=float(n.r.uniform(0, 1)), beta=float(n.r.uniform(0.2, 1)))
    operator(n.m, OP[name], [n.input(shape)], [n.out(shape)], *o)


def depth(n, name):
    b, h, w, c = n.n(1, 3), n.n(1, 4), n.n(1, 4), n.n(1, 4)
    flat, deep = [1, h * b, w * b, c], [1, h, w, c * b * b]
    o = options("DepthToSpaceOptions" if name == "DEPTH_TO_SPACE" else "SpaceToDepthOptions", blockSize=b)
    operator(n.m, OP[name], [n.input(deep if name == "DEPTH_TO_SPACE" else flat)], [n.out(flat if name == "DEPTH_TO_SPACE" else deep)], *o)


def batch_space(n, name):
    axes, c, batch = n.n(1, 2), n.n(1, 4), n.n(1, 2)
    b, inner = [n.n(1, 3) for _ in range(axes)], [n.n(1, 3) for _ in range(axes)]
    if name == "SPACE_TO_BATCH_ND":
        p = [[n.n(0, v - 1), 0] for v in b]
        full = [x * y for x, y in zip(inner, b)]
        x = [batch] + [f - q[0] for f, q in zip(full, p)] + [c]
        y = [batch * int(np.prod(b))] + inner + [c]
    else:
        p = [[0, n.n(0, v - 1)] for v in b]
        x = [batch * int(np.prod(b))] + inner + [c]
        y = [batch] + [i * v - q[1] for i, v, q in zip(inner, b, p)] + [c]
    operator(n.m, OP[name], [n.input(x), n.const(b), n.const(p)], [n.out(y)], *options("SpaceToBatchNDOptions" if name == "SPACE_TO_BATCH_ND" else "BatchToSpaceNDOptions"))


def weights(n, shape, outs, axis):
    if n.dt == F:
        return n.const(n.r.normal(0, 1, shape), F), n.const(n.r.normal(0, 1, outs), F)
    s = np.float32(2 ** n.r.uniform(-9, -6, outs))
    w = tensor(n.m, shape, np.int8, s, 0, n.r.integers(-127, 128, shape, np.int8), axis)
    return w, tensor(n.m, [outs], np.int32, F(n.scale) * s, 0, n.r.integers(-3000, 3000, outs, np.int32))


def transpose_conv(n, name):
    h, w, ci, co, kh, kw, sh, sw, pad = n.n(1, 5), n.n(1, 5), n.n(1, 5), n.n(1, 5), n.n(1, 4), n.n(1, 4), n.n(1, 3), n.n(1, 3), n.n(0, 1)
    out = [1, h * sh, w * sw, co] if pad == 0 else [1, (h - 1) * sh + kh, (w - 1) * sw + kw, co]
    x, (wt, b) = n.input([1, h, w, ci]), weights(n, [co, kh, kw, ci], co, 0)
    y = n.out(out)
    if n.dt == Q:
        n.m.subgraphs[0].tensors[y].quantization.scale = [float(F(2 ** n.r.uniform(-5, -1)))]
    operator(n.m, OP[name], [n.const(out), wt, x] + ([b] if n.n(0, 1) else []), [y], *options("TransposeConvOptions", padding=pad, strideW=sw, strideH=sh, fusedActivationFunction=n.n(0, 1)))
    n.m.operatorCodes[0].version = 4


def dilated(n, name):
    """A dilated convolution as old Keras wrote it: through the batch."""
    b, k, ci, depth = n.n(1, 3), n.n(1, 3), n.n(1, 4), name == "DEPTHWISE_CONV_2D"
    co = ci if depth else n.n(1, 4)
    h, w, p = b * n.n(k, 4), b * n.n(k, 4), n.n(0, b)
    q, last = [[0, b * p], [0, b * p]], [[0, n.n(0, 1)], [0, 0]]
    hb, wb = h // b + p, w // b + p
    mid, after = n.some([b * b, hb, wb, ci], n.dt), n.some([b * b, hb - k + 1, wb - k + 1, co], n.dt)
    x, (wt, bias) = n.input([1, h, w, ci]), weights(n, [1, k, k, co] if depth else [co, k, k, ci], co, 3 if depth else 0)
    out = [1, (hb - k + 1) * b - last[0][1], (wb - k + 1) * b, co]
    if out[1] < 1:
        last, out[1] = [[0, 0], [0, 0]], out[1] + last[0][1]
    y = n.out(out)
    operator(n.m, OP["SPACE_TO_BATCH_ND"], [x, n.const([b, b]), n.const(q)], [mid], *options("SpaceToBatchNDOptions"))
    extra = {"depthMultiplier": 1} if depth else {}
    o = options("DepthwiseConv2DOptions" if depth else "Conv2DOptions", padding=1, strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1, fusedActivationFunction=n.n(0, 1), **extra)
    operator(n.m, OP[name], [mid, wt, bias], [after], *o)
    operator(n.m, OP["BATCH_TO_SPACE_ND"], [after, n.const([b, b]), n.const(last)], [y], *options("BatchToSpaceNDOptions"))


def matmul(n, name):
    lead, k, r, c, ax, ay = n.shape(0, 2, 3), n.n(1, 5), n.n(1, 5), n.n(1, 5), bool(n.n(0, 1)), bool(n.n(0, 1))
    la, lb = (narrow(n, lead), narrow(n, lead)) if lead else ([], [])
    full = [int(d) for d in np.broadcast_shapes(la, lb)]
    a, b = n.input(la + ([k, r] if ax else [r, k])), n.either(lb + ([c, k] if ay else [k, c]))
    operator(n.m, OP[name], [a, b], [n.out(full + [r, c])], *options("BatchMatMulOptions", adjX=ax, adjY=ay))


CASES = [
    (pair, "LESS LESS_EQUAL GREATER GREATER_EQUAL EQUAL NOT_EQUAL", [F, I, Q]), (pair, "FLOOR_DIV FLOOR_MOD SQUARED_DIFFERENCE", [F, I]), (pair, "POW", [F]),
    (pair, "LOGICAL_AND LOGICAL_OR", [B]), (unary, "LOGICAL_NOT", [B]), (unary, "FLOOR CEIL ROUND SIN COS SIGN RELU_0_TO_1", [F]), (unary, "ZEROS_LIKE", [F, I]),
    (unary, "GELU", [F, Q]), (select, "SELECT SELECT_V2", [F, I, Q]), (reduce, "SUM REDUCE_PROD", [F, I]), (reduce, "REDUCE_MAX REDUCE_MIN", [F, I, Q]),
    (reduce, "REDUCE_ANY REDUCE_ALL", [B]), (arg, "ARG_MAX ARG_MIN", [F, I, Q]), (gather, "GATHER", [F, I, Q]), (gather_nd, "GATHER_ND", [F, I, Q]),
    (one_hot, "ONE_HOT", [F, I]), (top_k, "TOPK_V2", [F, Q]), (cumsum, "CUMSUM", [F, I]), (repeat, "TILE BROADCAST_TO REVERSE_V2 FILL", [F, I, Q]), (repeat, "ADD_N", [F, I]),
    (norm, "L2_NORMALIZATION LOCAL_RESPONSE_NORMALIZATION", [F]), (depth, "DEPTH_TO_SPACE SPACE_TO_DEPTH", [F, Q]),
    (batch_space, "SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND", [F, Q]), (dilated, "CONV_2D DEPTHWISE_CONV_2D", [F, Q]), (transpose_conv, "TRANSPOSE_CONV", [F, Q]), (matmul, "BATCH_MATMUL", [F]),
]


def reference(data, ins, own=False):
    """own: TFLite's default kernels. Its reference of LOCAL_RESPONSE_NORMALIZATION leaves out the last channel of each window, they do not."""
    it = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN if own else OpResolverType.BUILTIN_REF)
    it.allocate_tensors()
    for d, (_, v) in zip(it.get_input_details(), ins):
        it.set_tensor(d["index"], v)
    it.invoke()
    return [it.get_tensor(d["index"]).copy() for d in it.get_output_details()]


def run(coppice, data, ins, folder):
    shutil.rmtree(folder + "/y", ignore_errors=True)
    os.mkdir(folder + "/y")
    open(folder + "/m.tflite", "wb").write(data)
    for k, (_, v) in enumerate(ins):
        np.save("%s/x%d.npy" % (folder, k), v.astype(I) if v.dtype == np.int64 else v.view(np.uint8) if v.dtype == B else v)
    r = subprocess.run([coppice, "run", folder + "/m.tflite"] + ["%s/x%d.npy" % (folder, k) for k in range(len(ins))] + ["-o", folder + "/y"], capture_output=True, text=True,
                       env={**os.environ, "COPPICE_ISA": "ref"})
    return [np.load(p) for p in sorted(glob.glob(folder + "/y/*.npy"))] if r.returncode == 0 else r.stderr.strip()


def differ(got, want):
    """Of one result: how many elements differ."""
    if got.size != want.size:
        return max(want.size, 1)
    got = got.reshape(want.shape)
    if want.dtype != np.float32:
        return int((got.astype(np.int64) != want.astype(np.int64)).sum())
    near = np.isclose(got, want, rtol=1e-5, atol=1e-5 * max(1, float(np.abs(want[np.isfinite(want)]).max(initial=0))), equal_nan=True)
    return int((~near).sum())


def main():
    p = argparse.ArgumentParser()
    p.add_argument("coppice")
    p.add_argument("-n", type=int, default=20)
    p.add_argument("names", nargs="*")
    a = p.parse_intermixed_args()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for make, names, kinds in CASES:
            for name in names.split():
                if a.names and name not in a.names:
                    continue
                for dt in kinds:
                    elements, wrong, why, no, first = 0, 0, "", "", -1
                    for k in range(a.n):
                        net = Net(np.random.default_rng(k), dt)
                        make(net, name)
                        data = finish(net.m, [t for t, _ in net.ins], net.outs)
                        try:
                            want = reference(data, net.ins, name == "LOCAL_RESPONSE_NORMALIZATION")
                        except Exception as e:  # the interpreter does not take it
                            no = str(e).splitlines()[0][:80]
                            continue
                        got = run(a.coppice, data, net.ins, folder)
                        if isinstance(got, str):
                            why = got
                            continue
                        d = sum(differ(g, w) for g, w in zip(got, want)) + abs(len(got) - len(want))
                        first = k if d and first < 0 else first
                        elements, wrong = elements + sum(w.size for w in want), wrong + d
                    kind, after = np.dtype(dt).name, ", some refused: " + why if why else ""
                    print(f"{make.__name__} {name} {kind}: " + (f"{'all equal' if not wrong else f'{wrong} differ, first in round {first}'} ({elements} elements){after}" if elements else why or "not in the interpreter: " + no), flush=True)
                    bad += wrong > 0 or not elements
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
