#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small recurrent networks as .onnx files, made here, and what ONNX's reference implementation and ONNX Runtime make of them.

usage: make_onnx_rnn_reference.py > tests/io/onnx/reference/onnx_rnn.txt
needs numpy, onnx and onnxruntime.

A line a case: name, the file as hexadecimal digits, how many inputs and outputs, then the bytes of each. Numbers are those of ONNX
Runtime; where it has no kernel (layout 1) they are those of the same network with time first, turned.
"""
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper, numpy_helper

RNG = np.random.default_rng(11)
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def r(*s):
    return RNG.uniform(-1, 1, s).astype(np.float32)


def net(op, n, t, i, u, dirs, weights, states, attrs, layout):
    """inputs x and states, outputs Y, Y_h (and Y_c)"""
    names = ["w", "r", "b", "p"]
    inits = [numpy_helper.from_array(v, k) for k, v in zip(names, weights) if v is not None]
    have = [k if v is not None else "" for k, v in zip(names, weights)]
    ins = ["x", have[0], have[1], have[2], "", *(k if k in states else "" for k in (("h0", "c0") if op == "LSTM" else ("h0",)))]
    if have[3]:
        ins.append(have[3])
    while ins[-1] == "":
        ins.pop()
    outs = ["y", "h", "c"][: 3 if op == "LSTM" else 2]
    sh = lambda *s: list(s) if not layout else [s[1], s[0], *s[2:]]
    shapes = {"x": sh(t, n, i), "h0": sh(dirs, n, u), "c0": sh(dirs, n, u), "y": [n, t, dirs, u] if layout else [t, dirs, n, u], "h": sh(dirs, n, u), "c": sh(dirs, n, u)}
    info = lambda k: helper.make_tensor_value_info(k, T.FLOAT, shapes[k])
    attrs = dict(attrs, hidden_size=u, **({"layout": 1} if layout else {}))
    g = helper.make_graph([helper.make_node(op, ins, outs, **attrs)], "g", [info("x"), *(info(k) for k in states)], [info(k) for k in outs], inits)
    return helper.make_model(g, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)


def case(name, op, n, t, i, u, direction="forward", bias=True, states=(), peep=False, layout=0, **attrs):
    dirs = 2 if direction == "bidirectional" else 1
    g = GATES[op]
    weights = [r(dirs, g * u, i), r(dirs, g * u, u), r(dirs, 2 * g * u) if bias else None, r(dirs, 3 * u) if peep else None]
    attrs = dict(attrs, direction=direction)
    feeds = {"x": 2 * r(t, n, i), **{k: r(dirs, n, u) for k in states}}
    plain = net(op, n, t, i, u, dirs, weights, states, attrs, 0)
    outs = ort.InferenceSession(plain.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
    model = plain
    if layout:
        model = net(op, n, t, i, u, dirs, weights, states, attrs, 1)
        feeds = {k: v.swapaxes(0, 1) for k, v in feeds.items()}
        outs = [outs[0].transpose(2, 0, 1, 3), *(v.swapaxes(0, 1) for v in outs[1:])]
    data = [np.ascontiguousarray(v).tobytes().hex() for v in [*feeds.values(), *outs]]
    print(name, model.SerializeToString().hex(), len(feeds), len(outs), *data)


case("rnn", "RNN", 1, 3, 2, 2)
case("rnn_reverse", "RNN", 2, 3, 2, 3, "reverse", bias=False, states=["h0"])
case("rnn_both_relu", "RNN", 1, 3, 2, 2, "bidirectional", activations=["Relu", "Tanh"])
case("lstm", "LSTM", 1, 4, 3, 2)
case("lstm_states", "LSTM", 2, 3, 2, 3, states=["h0", "c0"])
case("lstm_reverse", "LSTM", 2, 3, 2, 2, "reverse", states=["h0", "c0"])
case("lstm_both", "LSTM", 2, 3, 2, 3, "bidirectional", states=["h0", "c0"])
case("lstm_peep", "LSTM", 2, 3, 2, 3, peep=True, states=["c0"])
case("lstm_peep_both", "LSTM", 1, 3, 2, 2, "bidirectional", peep=True)
case("lstm_clip", "LSTM", 1, 3, 2, 2, clip=0.5)
case("lstm_layout", "LSTM", 2, 3, 2, 2, "bidirectional", layout=1, states=["h0", "c0"])
case("lstm_functions", "LSTM", 1, 3, 2, 2, activations=["HardSigmoid", "Softsign", "Relu"])
case("gru", "GRU", 1, 4, 3, 2)
case("gru_after", "GRU", 2, 3, 2, 3, linear_before_reset=1)
case("gru_reverse", "GRU", 2, 3, 2, 3, "reverse", states=["h0"])
case("gru_after_both", "GRU", 2, 3, 2, 2, "bidirectional", states=["h0"], linear_before_reset=1)
case("gru_no_bias_after", "GRU", 1, 3, 2, 2, bias=False, linear_before_reset=1)
case("gru_layout", "GRU", 2, 3, 2, 2, layout=1)
case("gru_softplus", "GRU", 1, 3, 2, 2, activations=["Sigmoid", "Softplus"])
