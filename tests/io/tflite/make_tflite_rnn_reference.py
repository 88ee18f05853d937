#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small recurrent networks as .tflite files, made here, and what TFLite's reference kernels make of them.

usage: make_tflite_rnn_reference.py > tests/io/tflite/reference/tflite_rnn.txt
needs numpy, flatbuffers and ai_edge_litert.

A line a case: name, the file as hexadecimal digits, the input's bytes, the output's bytes.
"""
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as S
from ai_edge_litert.interpreter import Interpreter, OpResolverType

RNG = np.random.default_rng(7)
TYPE = {"int8": S.TensorType.INT8, "int16": S.TensorType.INT16, "int32": S.TensorType.INT32, "float32": S.TensorType.FLOAT32}


class Net:
    def __init__(self):
        self.tensors, self.buffers, self.inputs, self.mids = [], [S.BufferT()], [], []

    def add(self, shape, dtype, data=None, scale=0, zero=0, variable=False):
        b = S.BufferT()
        if data is not None:
            b.data = np.frombuffer(np.ascontiguousarray(data, dtype).tobytes(), np.uint8)
        self.buffers.append(b)
        t = S.TensorT()
        t.shape, t.type, t.buffer, t.name, t.isVariable = list(shape), TYPE[dtype], len(self.buffers) - 1, "t%d" % len(self.tensors), variable
        if scale:
            t.quantization = S.QuantizationParametersT()
            t.quantization.scale, t.quantization.zeroPoint = [np.float32(scale)], [zero]
        self.tensors.append(t)
        return len(self.tensors) - 1

    def file(self, code, kind, options, x, outputs):
        op, g, m, c = S.OperatorT(), S.SubGraphT(), S.ModelT(), S.OperatorCodeT()
        op.inputs, op.outputs, op.intermediates = self.inputs, outputs, self.mids
        op.builtinOptionsType, op.builtinOptions = kind, options
        g.tensors, g.inputs, g.outputs, g.operators = self.tensors, [x], outputs, [op]
        c.builtinCode, c.deprecatedBuiltinCode, c.version = code, min(code, 127), 1
        m.version, m.subgraphs, m.operatorCodes, m.buffers = 3, [g], [c], self.buffers
        b = flatbuffers.Builder(1024)
        b.Finish(m.Pack(b), b"TFL3")
        return bytes(b.Output())


def run(data, x):
    it = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    it.allocate_tensors()
    it.set_tensor(it.get_input_details()[0]["index"], x)
    it.invoke()
    return it.get_tensor(it.get_output_details()[0]["index"])


def put(name, data, x):
    print(name, data.hex(), x.tobytes().hex(), run(data, x).tobytes().hex())


def lstm_int8(name, n, t, i, u, zero, hidden, clip=0.0, time_major=False, cell=2.0**-11):
    """hidden: scale and zero point of the fifth intermediate tensor, or None for those of the state"""
    net, q = Net(), lambda *s: RNG.integers(-127, 128, s)
    shape = (t, n, i) if time_major else (n, t, i)
    x = net.add(shape, "int8", scale=0.02, zero=-7)
    w = lambda *s: net.add(s, "int8", q(*s), scale=RNG.uniform(0.008, 0.015))
    wx, wh = [w(u, i) for _ in range(4)], [w(u, u) for _ in range(4)]
    b = [net.add((u,), "int32", RNG.integers(-3000, 3000, u), scale=0.0002) for _ in range(4)]
    h = net.add((n, u), "int8", scale=0.008, zero=zero, variable=True)
    c = net.add((n, u), "int16", scale=cell, variable=True)
    y = net.add((*shape[:2], u), "int8", scale=0.008, zero=zero)
    net.inputs = [x, *wx, *wh, -1, -1, -1, *b, -1, -1, h, c, -1, -1, -1, -1]
    net.mids = [net.add((0,), "int16", scale=2.0**-12) for _ in range(4)]
    net.mids.append(net.add((0,), "int8", scale=(hidden or (0.008, zero))[0], zero=(hidden or (0.008, zero))[1]))
    o = S.UnidirectionalSequenceLSTMOptionsT()
    o.fusedActivationFunction, o.cellClip, o.timeMajor = S.ActivationFunctionType.TANH, clip, time_major
    code = S.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    put(name, net.file(code, S.BuiltinOptions.UnidirectionalSequenceLSTMOptions, o, x, [y]), RNG.integers(-128, 128, shape).astype(np.int8))


lstm_int8("lstm_i8", 1, 4, 3, 2, 0, None)
lstm_int8("lstm_i8_zero_point", 1, 6, 2, 3, -1, None)
lstm_int8("lstm_i8_far_zero_points", 2, 5, 3, 3, 41, (0.0071, 35))
lstm_int8("lstm_i8_clip_time_major", 2, 5, 2, 3, -9, None, clip=0.25, time_major=True, cell=2.0**-13)


def floats(*s):
    return RNG.uniform(-1, 1, s).astype(np.float32)


def shape_of(n, t, i, time_major):
    return (t, n, i) if time_major else (n, t, i)


def lstm_float(name, n, t, i, u, clip=0.0, time_major=False, peep=False):
    net, shape = Net(), shape_of(n, t, i, time_major)
    x, w = net.add(shape, "float32"), lambda *s: net.add(s, "float32", floats(*s))
    net.inputs = [x, *(w(u, i) for _ in range(4)), *(w(u, u) for _ in range(4)), *((w(u) if peep else -1) for _ in range(3)), *(w(u) for _ in range(4)), -1, -1,
                  net.add((n, u), "float32", variable=True), net.add((n, u), "float32", variable=True), -1, -1, -1, -1]
    o = S.UnidirectionalSequenceLSTMOptionsT()
    o.fusedActivationFunction, o.cellClip, o.timeMajor = S.ActivationFunctionType.TANH, clip, time_major
    y = net.add((*shape[:2], u), "float32")
    put(name, net.file(S.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM, S.BuiltinOptions.UnidirectionalSequenceLSTMOptions, o, x, [y]), floats(*shape))


def lstm_both(name, n, t, i, u, merge, time_major=False, peep=False):
    net, shape = Net(), shape_of(n, t, i, time_major)
    x, w = net.add(shape, "float32"), lambda *s: net.add(s, "float32", floats(*s))
    one = lambda: [*(w(u, i) for _ in range(4)), *(w(u, u) for _ in range(4)), *((w(u) if peep else -1) for _ in range(3)), *(w(u) for _ in range(4)), -1, -1]
    net.inputs = [x, *one(), *one(), *(net.add((n, u), "float32", variable=True) for _ in range(4)), *[-1] * 9]
    o = S.BidirectionalSequenceLSTMOptionsT()
    o.fusedActivationFunction, o.mergeOutputs, o.timeMajor = S.ActivationFunctionType.TANH, merge, time_major
    ys = [net.add((*shape[:2], 2 * u), "float32")] if merge else [net.add((*shape[:2], u), "float32") for _ in range(2)]
    put(name, net.file(S.BuiltinOperator.BIDIRECTIONAL_SEQUENCE_LSTM, S.BuiltinOptions.BidirectionalSequenceLSTMOptions, o, x, ys), floats(*shape))


def rnn(name, n, t, i, u, act, time_major=False, both=None):
    """both: None for one direction, else whether the outputs are merged"""
    net, shape = Net(), shape_of(n, t, i, time_major)
    x, w = net.add(shape, "float32"), lambda *s: net.add(s, "float32", floats(*s))
    one = lambda: [w(u, i), w(u, u), w(u), net.add((n, u), "float32", variable=True)]
    net.inputs = [x, *one()] if both is None else [x, *one(), *one(), -1, -1, -1]
    o = S.SequenceRNNOptionsT() if both is None else S.BidirectionalSequenceRNNOptionsT()
    o.fusedActivationFunction, o.timeMajor = act, time_major
    if both is not None:
        o.mergeOutputs = both
    ys = [net.add((*shape[:2], (2 if both else 1) * u), "float32") for _ in range(2 if both is False else 1)]
    code = S.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_RNN if both is None else S.BuiltinOperator.BIDIRECTIONAL_SEQUENCE_RNN
    kind = S.BuiltinOptions.SequenceRNNOptions if both is None else S.BuiltinOptions.BidirectionalSequenceRNNOptions
    put(name, net.file(code, kind, o, x, ys), floats(*shape))


TANH, RELU = S.ActivationFunctionType.TANH, S.ActivationFunctionType.RELU
lstm_float("lstm", 1, 3, 2, 2)
lstm_float("lstm_peep_clip", 2, 3, 2, 3, clip=0.3, peep=True)
lstm_float("lstm_time_major", 2, 3, 2, 2, time_major=True)
lstm_both("lstm_both", 1, 3, 2, 2, False)
lstm_both("lstm_both_merged", 2, 3, 2, 2, True, time_major=True, peep=True)
rnn("rnn", 1, 3, 2, 2, TANH)
rnn("rnn_relu_time_major", 2, 3, 2, 3, RELU, time_major=True)
rnn("rnn_both", 2, 3, 2, 2, TANH, both=False)
rnn("rnn_both_merged", 1, 3, 2, 2, RELU, both=True)
