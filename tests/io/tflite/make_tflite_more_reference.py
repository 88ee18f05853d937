#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small networks of one or a few TensorFlow Lite operators, made here, and what TFLite's reference kernels make of them.

usage: make_tflite_more_reference.py > tests/io/tflite/reference/tflite_more.txt
needs numpy, flatbuffers and ai_edge_litert.

A line a case: name, the file as hexadecimal digits, then for each run the inputs' bytes and the outputs' bytes; several are joined by commas.
"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "bench"))
from tflite_more import B, CASES, F, I, Q, Net, reference  # noqa: E402
from tflite_ops import KIND, OP, S, Interpreter, OpResolverType, finish, operator, options, tensor  # noqa: E402


def text(v):
    v = v.astype(I) if v.dtype == np.int64 else v
    return v.tobytes().hex()


def line(name, data, runs):
    print(name, data.hex(), *[",".join(text(v) for v in part) or "-" for run in runs for part in run])


def dilates(net):
    """Blocks and a kernel of at least 2: else there is nothing to dilate."""
    t, ops = net.m.subgraphs[0].tensors, net.m.subgraphs[0].operators
    return t[ops[0].outputs[0]].shape[0] >= 4 and t[ops[1].inputs[1]].shape[2] >= 2


def single():
    for make, names, kinds in CASES:
        for at, name in enumerate(names.split()):
            if name in ("CEIL", "ROUND"):  # not in the interpreter
                continue
            for dt in kinds if make.__name__ not in ("pair", "select", "repeat") else [kinds[at % len(kinds)]] + ([Q] if Q in kinds and at == 1 else []):
                for k in range(100, 200):
                    net = Net(np.random.default_rng(k), dt)
                    make(net, name)
                    apart = make.__name__ != "dilated" or dilates(net)
                    if apart and 4 <= sum(v.size for _, v in net.ins) <= (40 if make.__name__ != "dilated" else 100) and len(net.ins[0][1].shape) > 1:
                        break
                data = finish(net.m, [t for t, _ in net.ins], net.outs)
                want = reference(data, net.ins, name == "LOCAL_RESPONSE_NORMALIZATION")
                line("%s_%s_%s" % (make.__name__, name, np.dtype(dt).name), data, [([v for _, v in net.ins], want)])


def run_all(data, steps, own=False):
    it = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    it.allocate_tensors()
    runs = []
    for ins in steps:
        for d, v in zip(it.get_input_details(), ins):
            it.set_tensor(d["index"], v)
        it.invoke()
        runs.append((ins, [it.get_tensor(d["index"]).copy() for d in it.get_output_details()]))
    return runs


# ---- what lives from run to run ----

def handle(n, name):
    KIND["resource"] = S.TensorType.RESOURCE
    t = tensor(n.m, [], "resource")
    operator(n.m, OP["VAR_HANDLE"], [], [t], *options("VarHandleOptions", sharedName=name))
    return t


def start(n, first):
    """CALL_ONCE and the subgraph that gives variables their first contents."""
    main, init = n.m.subgraphs[0], S.SubGraphT()
    init.tensors, init.operators, init.inputs, init.outputs = [], [], [], []
    n.m.subgraphs = [init]
    for name, v in first:
        h = handle(n, name)
        operator(n.m, OP["ASSIGN_VARIABLE"], [h, n.some(v.shape, v.dtype.type, v)], [], *options("AssignVariableOptions"))
    n.m.subgraphs = [main, init]
    operator(n.m, OP["CALL_ONCE"], [], [], *options("CallOnceOptions", initSubgraphIndex=1))


def stream(dt):
    """The last two frames and this one, as wake-word models keep them."""
    n = Net(np.random.default_rng(3), dt)
    start(n, [("state", n.values([1, 2, 4], dt))])
    x, h = n.input([1, 1, 4]), handle(n, "state")
    old, all_, new = n.some([1, 2, 4], dt), n.out([1, 3, 4]), n.some([1, 2, 4], dt)
    operator(n.m, OP["READ_VARIABLE"], [h], [old], *options("ReadVariableOptions"))
    operator(n.m, OP["CONCATENATION"], [old, x], [all_], *options("ConcatenationOptions", axis=1))
    operator(n.m, OP["STRIDED_SLICE"], [all_, n.const([0, 1, 0]), n.const([1, 3, 4]), n.const([1, 1, 1])], [new], *options("StridedSliceOptions"))
    operator(n.m, OP["ASSIGN_VARIABLE"], [h, new], [], *options("AssignVariableOptions"))
    return n


def swap():
    """Two states change places; what is read after it is written is new; a state is a result."""
    n = Net(np.random.default_rng(4), F)
    start(n, [("a", n.values([1, 3], F)), ("b", n.values([1, 3], F))])
    x, a, b = n.input([1, 3]), handle(n, "a"), handle(n, "b")
    va, vb, out, vc = n.some([1, 3], F), n.out([1, 3]), n.out([1, 3]), n.some([1, 3], F)
    operator(n.m, OP["READ_VARIABLE"], [a], [va], *options("ReadVariableOptions"))
    operator(n.m, OP["READ_VARIABLE"], [b], [vb], *options("ReadVariableOptions"))
    operator(n.m, OP["ASSIGN_VARIABLE"], [a, vb], [], *options("AssignVariableOptions"))
    operator(n.m, OP["ASSIGN_VARIABLE"], [b, va], [], *options("AssignVariableOptions"))
    operator(n.m, OP["READ_VARIABLE"], [a], [vc], *options("ReadVariableOptions"))
    operator(n.m, OP["ADD"], [vc, x], [out], *options("AddOptions"))
    return n


def svdf():
    n = Net(np.random.default_rng(5), F)
    x, rank, units, memory = n.input([1, 3]), 2, 2, 4
    wf, wt = n.const(n.values([rank * units, 3], F), F), n.const(n.values([rank * units, memory], F), F)
    bias, state, y = n.const(n.values([units], F), F), tensor(n.m, [1, memory * rank * units], F), n.out([1, units])
    n.m.subgraphs[0].tensors[state].isVariable = True
    operator(n.m, OP["SVDF"], [x, wf, wt, bias, state], [y], *options("SVDFOptions", rank=rank, fusedActivationFunction=1))
    return n


def svdf_int8():
    n = Net(np.random.default_rng(9), Q)
    KIND[np.int16] = S.TensorType.INT16
    t, rank, units, memory, inputs = n.m.subgraphs[0].tensors, 2, 3, 4, 5
    x, wf = n.input([1, inputs]), n.const(n.values([rank * units, inputs], Q), Q)
    t[wf].quantization.zeroPoint = [0]
    wt = tensor(n.m, [rank * units, memory], np.int16, 2.0 ** -13, 0, n.r.integers(-3000, 3000, (rank * units, memory)).astype(np.int16))
    bias = tensor(n.m, [units], I, 2.0 ** -23, 0, n.r.integers(-5000, 5000, units).astype(I))
    state, y = tensor(n.m, [1, memory * rank * units], np.int16, 2.0 ** -10, 0), n.out([1, units])
    t[state].isVariable, t[y].quantization.scale = True, [0.07]
    operator(n.m, OP["SVDF"], [x, wf, wt, bias, state], [y], *options("SVDFOptions", rank=rank, fusedActivationFunction=1))
    n.m.operatorCodes[-1].version = 3
    return n


def wide(name, k):
    """int8 operators whose sums have 32 bits, with scales of their own."""
    n = Net(np.random.default_rng(k), Q)
    t = n.m.subgraphs[0].tensors
    if name == "squares":
        a, b, y = n.input([3, 5]), n.input([3, 1]), n.out([3, 5])
        operator(n.m, OP["SQUARED_DIFFERENCE"], [a, b], [y], *options("SquaredDifferenceOptions"))
    else:
        a = n.input([1, 2, 3, 7])
        b = n.const(n.values([7, 4], Q), Q) if name.endswith("constant") else n.input([1, 2, 4, 7])
        y = n.out([1, 2, 3, 4])
        operator(n.m, OP["BATCH_MATMUL"], [a, b], [y], *options("BatchMatMulOptions", adjY=not name.endswith("constant")))
    n.m.operatorCodes[-1].version = 2
    t[b].quantization.scale, t[b].quantization.zeroPoint, t[y].quantization.scale = [0.013], [-7], [0.21]
    return n


def living():
    for name in ("product", "product_constant", "squares"):
        n = wide(name, 11)
        data = finish(n.m, [t for t, _ in n.ins], n.outs)
        line(name + "_i8", data, run_all(data, [[v for _, v in n.ins]]))
    for name, n in [("stream_f32", stream(F)), ("stream_i8", stream(Q)), ("swap", swap()), ("svdf_f32", svdf()), ("svdf_i8", svdf_int8())]:
        data = finish(n.m, [t for t, _ in n.ins], n.outs)
        steps = [[np.random.default_rng(k).permutation(v.flatten()).reshape(v.shape) for _, v in n.ins] for k in range(4)]
        line(name, data, run_all(data, steps))


# ---- ends: no dimensions, constants, inputs as results ----

def ends():
    n = Net(np.random.default_rng(6), F)
    x, s, k = n.input([1, 3]), n.input([]), n.const([[1, 2, 3]], F)
    y = n.out([1, 3])
    n.outs += [x, k, s]
    operator(n.m, OP["MUL"], [x, s], [y], *options("MulOptions"))
    data = finish(n.m, [t for t, _ in n.ins], n.outs)
    line("ends", data, run_all(data, [[v for _, v in n.ins]]))


def shapes():
    """A shape that is computed: SHAPE, GATHER, REDUCE_PROD, PACK, RESHAPE."""
    n = Net(np.random.default_rng(8), F)
    x, y = n.input([1, 2, 3, 2]), n.out([1, 12])
    dims, some, count, to = n.some([4], I), n.some([3], I), n.some([], I), n.some([2], I)
    operator(n.m, OP["SHAPE"], [x], [dims], *options("ShapeOptions", outType=S.TensorType.INT32))
    operator(n.m, OP["GATHER"], [dims, n.const([1, 2, 3])], [some], *options("GatherOptions", axis=0))
    operator(n.m, OP["REDUCE_PROD"], [some, n.const([0])], [count], *options("ReducerOptions"))
    operator(n.m, OP["PACK"], [n.const(1), count], [to], *options("PackOptions", valuesCount=2, axis=0))
    operator(n.m, OP["RESHAPE"], [x, to], [y], *options("ReshapeOptions"))
    data = finish(n.m, [x], [y])
    line("shapes", data, run_all(data, [[v for _, v in n.ins]]))


if __name__ == "__main__":
    single()
    living()
    ends()
    shapes()
