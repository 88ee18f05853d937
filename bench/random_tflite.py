#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random int8 graphs of many layers as .tflite files: every byte against TFLite's reference kernels, by several instruction sets.

Layers read values from a pool, so that some live long and have several readers; every value that nobody reads is a result.
usage: random_tflite.py COPPICE [-n GRAPHS] [--seed FIRST] [--isa ref,dsp,avx2]     needs numpy, flatbuffers, ai_edge_litert
"""
import argparse
import glob
import os
import subprocess
import sys
import tempfile

import numpy as np

from tflite_ops import OP, Case, Interpreter, OpResolverType, S, finish, operator, options, tensor


class Drawn(Case):
    def __init__(self, seed):
        super().__init__(np.random.default_rng(seed), np.int8)
        self.read, self.pool = set(), []

    def whole(self, lo, hi):
        return int(self.r.integers(lo, hi + 1))

    def new(self, shape, scale=None, zero=None):
        t = self.act([1, *shape], scale, zero)
        self.pool.append((t, list(shape)))
        return t

    def shape(self, t):
        return self.m.subgraphs[0].tensors[t].shape[1:]

    def quant(self, t):
        q = self.m.subgraphs[0].tensors[t].quantization
        return np.float32(q.scale[0]), int(q.zeroPoint[0])

    def pick(self):
        t, _ = self.pool[-1 if self.r.random() < 0.6 else self.whole(0, len(self.pool) - 1)]
        return t

    def partner(self, x):
        same = [t for t, s in self.pool if s == list(self.shape(x))]
        return same[self.whole(0, len(same) - 1)]

    def put(self, code, ins, out, o):
        operator(self.m, OP[code], ins, [out], *o)
        self.read.update(ins)


def window(d, n):
    """Kernel, stride, padding (0 SAME, 1 VALID) and the result's length, dilation 1 or 2."""
    k, s, pad, dil = d.whole(1, 3), d.whole(1, 2), d.whole(0, 1), 2 if d.r.random() < 0.2 else 1
    if s > 1:
        dil = 1
    reach = (k - 1) * dil + 1
    if reach > n:
        k, reach, dil = 1, 1, 1
    return k, s, pad, dil, -(-n // s) if pad == 0 else (n - reach) // s + 1


def conv(d, x, deep):
    h, w, c = d.shape(x)
    k, s, pad, dil, ho = window(d, min(h, w))
    wo = -(-w // s) if pad == 0 else (w - (k - 1) * dil - 1) // s + 1
    ho = -(-h // s) if pad == 0 else (h - (k - 1) * dil - 1) // s + 1
    co = c * (d.whole(1, 2) if d.r.random() < 0.2 else 1) if deep else d.whole(1, 20)
    wt, _ = d.weights([1, k, k, co] if deep else [co, k, k, c], co, 3 if deep else 0)
    sx, _ = d.quant(x)
    bs = sx * np.float32(d.m.subgraphs[0].tensors[wt].quantization.scale)
    taps = k * k * (1 if deep else c)
    y = d.new([ho, wo, co], float(np.float32(bs.mean() * 60 * np.sqrt(taps) * d.r.uniform(0.5, 2))))
    b = tensor(d.m, [co], np.int32, bs, 0, d.r.integers(-3000, 3000, co, np.int32))
    extra = {"depthMultiplier": co // c} if deep else {}
    d.put("DEPTHWISE_CONV_2D" if deep else "CONV_2D", [x, wt, b], y, options("DepthwiseConv2DOptions" if deep else "Conv2DOptions", padding=pad, strideW=s, strideH=s,
        fusedActivationFunction=int(d.r.choice([0, 0, 1, 3])), dilationWFactor=dil, dilationHFactor=dil, **extra))


def pool(d, x):
    h, w, c = d.shape(x)
    kh, kw, s, pad = min(h, d.whole(1, 3)), min(w, d.whole(1, 3)), d.whole(1, 2), d.whole(0, 1)
    size = [-(-n // s) if pad == 0 else (n - k) // s + 1 for n, k in ((h, kh), (w, kw))]
    y = d.new([*size, c], *d.quant(x))
    d.put(str(d.r.choice(["MAX_POOL_2D", "AVERAGE_POOL_2D"])), [x], y, options("Pool2DOptions", padding=pad, strideW=s, strideH=s, filterWidth=kw, filterHeight=kh))


def binary(d, x):
    code = str(d.r.choice(["ADD", "ADD", "SUB", "MUL"]))
    other, (s, _) = d.partner(x), d.quant(x)
    y = d.new(list(d.shape(x)), float(s * (2 if code != "MUL" else s * 60)))
    d.put(code, [x, other], y, options({"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}[code], fusedActivationFunction=int(d.r.choice([0, 0, 1]))))


def curve(d, x):
    code = str(d.r.choice(["LOGISTIC", "TANH", "HARD_SWISH", "RELU"]))
    fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(code) or d.quant(x)
    y = d.new(list(d.shape(x)), *fixed)
    d.put(code, [x], y, (None, 0))


def gate(d, x):
    h, w, c = d.shape(x)
    axes = tensor(d.m, [2], np.int32, data=np.array([1, 2], np.int32))
    mean = d.new([1, 1, c], *d.quant(x))
    d.put("MEAN", [x, axes], mean, options("ReducerOptions", keepDims=True))
    y = d.new([h, w, c])
    d.put("MUL", [x, mean], y, options("MulOptions"))


def move(d, x):
    h, w, c = d.shape(x)
    form = d.whole(0, 2)
    if form == 0:
        ends = np.array([[0, 0], *d.r.integers(0, 3, (2, 2)), [0, d.whole(0, 1)]], np.int32)
        y = d.new([int(n + a + b) for n, (a, b) in zip((h, w, c), ends[1:])], *d.quant(x))
        d.put("PAD", [x, tensor(d.m, [4, 2], np.int32, data=ends)], y, options("PadOptions"))
    elif form == 1:
        y = d.new([w, h, c], *d.quant(x))
        d.put("TRANSPOSE", [x, tensor(d.m, [4], np.int32, data=np.array([0, 2, 1, 3], np.int32))], y, options("TransposeOptions"))
    else:
        y = d.new([h, w, 2 * c], *d.quant(x))
        d.put("CONCATENATION", [x, x], y, options("ConcatenationOptions", axis=3))


LAYERS = [lambda d, x: conv(d, x, False)] * 3 + [lambda d, x: conv(d, x, True)] * 3 + [binary, binary, pool, curve, gate, move]


def draw(seed):
    d = Drawn(seed)
    x = d.new([d.whole(3, 16), d.whole(3, 16), d.whole(1, 16)])
    for _ in range(d.whole(2, 14)):
        at = d.pick()
        if np.prod(d.shape(at)) <= 4000 and d.shape(at)[2] <= 40 and min(d.shape(at)) > 0:
            d.r.choice(np.array(LAYERS, object))(d, at)
    outs = [t for t, _ in d.pool if t not in d.read and t != x]
    return (finish(d.m, [x], outs), outs) if outs else (None, None)


def reference(model, x):
    i = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    i.allocate_tensors()
    i.set_tensor(i.get_input_details()[0]["index"], x)
    i.invoke()
    return [i.get_tensor(o["index"]) for o in i.get_output_details()], i.get_input_details()[0]["shape"]


def ours(coppice, folder, isa):
    for old in glob.glob(folder + "/out/*"):
        os.remove(old)
    p = subprocess.run([coppice, "run", folder + "/g.tflite", folder + "/x.npy", "-o", folder + "/out/"], capture_output=True, text=True, env={**os.environ, "COPPICE_ISA": isa})
    if p.returncode:
        return p.stderr.strip()
    return [np.load(f) for f in sorted(glob.glob(folder + "/out/*.npy"), key=lambda f: (len(f), f))]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("coppice")
    a.add_argument("-n", type=int, default=100)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--isa", default="ref,dsp,avx2")
    a = a.parse_args()
    bad = graphs = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(a.seed, a.seed + a.n):
            model, outs = draw(seed)
            if not model:
                continue
            graphs += 1
            with open(folder + "/g.tflite", "wb") as f:
                f.write(model)
            shape = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF).get_input_details()[0]["shape"]
            x = np.random.default_rng(seed).integers(-128, 128, shape, np.int8)
            np.save(folder + "/x.npy", x)
            want, _ = reference(model, x)
            for isa in a.isa.split(","):
                got = ours(a.coppice, folder, isa)
                differs = got if isinstance(got, str) else [i for i, w in enumerate(want) if not np.array_equal(got[i].ravel(), w.ravel())]
                if differs:
                    bad += 1
                    print(f"seed {seed}, {isa}: {differs}")
    print(f"{graphs} graphs, {bad} differ")
    sys.exit(bad > 0)


main()
