#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/io/tflite/reference/tflite_ops.txt: single int8, int16 and uint8 operators, and what TFLite's reference kernels make of them.

usage: make_tflite_ops_reference.py > tflite_ops.txt     needs numpy, flatbuffers, ai_edge_litert

A line is a model: OPERATOR FILL CRC INPUTS OPERANDS RESULT FIELD:WORD... | TENSOR ...
FILL: noise (bytes of a generator that starts at 12345, over all inputs) or count (0, 1, 2...), which spread() makes numbers; CRC: crc32c of the result; INPUTS: how many of the tensors are inputs of the
network; OPERANDS: tensors by number, with commas; a field of the options and its 32 bits, hexadecimal.
TENSOR: type dim,dim,... scale zero contents, 0 for no scale, - for no contents, else hexadecimal.
"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "..", "bench"))
import tflite_ops as ops  # noqa: E402

FIELDS = {"padding": 0, "strideW": 1, "strideH": 2, "filterWidth": 3, "filterHeight": 4, "keepDims": 0, "alpha": 0, "beta": 0, "approximate": 0, "beginMask": 0, "endMask": 1,
          "ellipsisMask": 2, "axis": 0, "newAxisMask": 3, "shrinkAxisMask": 4, "offset": 5}
ACT = {"Pool2DOptionsT": 5, "AddOptionsT": 0, "SubOptionsT": 0, "MulOptionsT": 0, "Conv2DOptionsT": 3, "DepthwiseConv2DOptionsT": 4, "FullyConnectedOptionsT": 0}


def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c ^= b
        for _ in range(8):
            c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    return c ^ 0xFFFFFFFF


def bits(v):
    return int(np.float32(v).view(np.uint32)) if isinstance(v, float) else int(v) & 0xFFFFFFFF


def fields(o):
    out = {}
    for k, v in (vars(o).items() if o else ()):
        at = ACT.get(type(o).__name__) if k == "fusedActivationFunction" else FIELDS.get(k)
        if at is not None and v:
            out[at] = bits(v)
    return ["%d:%x" % f for f in sorted(out.items())]


def noise(n):
    s, out = 12345, np.empty(n, np.uint8)
    for i in range(n):
        s = (s * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = s >> 24
    return out


def line(c, name, ins, y, fill):
    g, words = c.m.subgraphs[0], []
    o = g.operators[0]
    shapes = [list(g.tensors[i].shape) for i in ins]
    assert ins == list(range(len(ins)))
    total = sum(int(np.prod(s)) for s in shapes)
    all_ = noise(total) if fill == "noise" else np.arange(total).astype(np.uint8)
    xs, at = [], 0
    for s in shapes:
        n = int(np.prod(s))
        xs.append(ops.spread(all_[at:at + n], c.dt).reshape(s))
        at += n
    want = ops.reference(ops.finish(c.m, ins, [y]), xs)
    for t in g.tensors:
        q, data = t.quantization, c.m.buffers[t.buffer].data
        scale = "%.9g" % np.float32(q.scale[0]) if q is not None and q.scale else "0"
        words.append("%d %s %s %d %s" % (t.type, ",".join(str(d) for d in t.shape), scale, q.zeroPoint[0] if q is not None and q.zeroPoint else 0, "-" if data is None else bytes(data).hex()))
    return " | ".join([" ".join([name, fill, "%08x" % crc32c(want.tobytes()), str(len(ins)), ",".join(str(i) for i in o.inputs), str(y), *fields(o.builtinOptions)]), *words])


def main():
    for make, names, formats in ops.CASES:
        for name in names.split():
            for dt in formats:
                done = 0
                if make in (ops.layer, ops.move) and dt != np.int16:  # those are in whole models
                    continue
                if dt == np.int16 and name in ("LOGISTIC", "TANH", "SOFTMAX"):  # computed in floats here
                    continue
                if name == "SUM" and dt == np.int8:  # the reference kernel takes the bytes for uint8
                    continue
                for seed in range(40):
                    c = ops.Case(np.random.default_rng(seed), dt, batch=False)
                    ins, y = make(c, ops.OP[name])
                    if name == "NEG":  # of int8 the integers are negated, whatever their zero point
                        break
                    try:
                        print(line(c, name, ins, y, "count" if make is ops.unary and dt != np.int16 and name not in ("SOFTMAX", "LOG_SOFTMAX") else "noise"), flush=True)
                    except (RuntimeError, ValueError):  # the interpreter does not take it
                        break
                    done += 1
                    if done == (8 if make in (ops.binary, ops.reduce, ops.prelu, ops.cast) or (make is ops.pool and dt == np.int16) else 4):
                        break


main()
