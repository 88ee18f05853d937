#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes reference/onnx_ops.txt: small ONNX models with drawn attributes and what ONNX Runtime computes for them, which test_onnx_ops.c
reads. Element k of input i is ((37 k + 11 i + 5) % 101) / 50 - 1, or (7 k + i) % 5 of whole numbers.

usage: make_onnx_ops_reference.py > tests/io/onnx/reference/onnx_ops.txt
       make_onnx_ops_reference.py --check build/coppice [--count 300] [--only Einsum]     draws many and compares at once
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T, helper as h, numpy_helper

F, I = T.FLOAT, T.INT64
ML = "ai.onnx.ml"


class Model:
	"""One network: inputs by shape, constants by value, nodes."""

	def __init__(self, opset=17):
		self.nodes, self.inputs, self.known, self.opset, self.n_out, self.functions = [], [], [], opset, 1, []

	def x(self, shape, kind=F):
		self.inputs.append(h.make_tensor_value_info("x%d" % len(self.inputs), kind, list(shape)))
		return self.inputs[-1].name

	def k(self, value, kind=np.int64):
		self.known.append(numpy_helper.from_array(np.asarray(value, kind), "k%d" % len(self.known)))
		return self.known[-1].name

	def node(self, op, inputs, outputs=("y",), domain="", **attrs):
		self.nodes.append(h.make_node(op, list(inputs), list(outputs), domain=domain, **attrs))
		return outputs[0]

	def build(self, outputs=("y",)):
		graph = h.make_graph(self.nodes, "g", self.inputs, [onnx.ValueInfoProto(name=o) for o in outputs], self.known)
		m = h.make_model(graph, opset_imports=[h.make_opsetid("", self.opset), h.make_opsetid(ML, 3), h.make_opsetid("pkg", 1), h.make_opsetid("com.microsoft", 1)], functions=self.functions)
		m.ir_version = 10
		m.producer_name = ""
		return m


def shape(r, lo=2, hi=4, most=5):
	return [int(v) for v in r.integers(1, most, r.integers(lo, hi + 1))]


def gather_nd(r):
	m, s = Model(), shape(r)
	b = int(r.integers(0, len(s) - 1))
	q = int(r.integers(1, len(s) - b + 1))
	at = s[:b] + shape(r, 1, 2, 4) + [q]
	if r.integers(2):
		index = np.stack([r.integers(-d, d, at[:-1]) for d in s[b:b + q]], -1)
		m.node("GatherND", [m.x(s), m.k(index)], batch_dims=b)
	else:
		s[b:b + q] = [5] * q
		m.node("GatherND", [m.x(s), m.x(at, I)], batch_dims=b)
	return m


def gather_elements(r):
	m, s = Model(), shape(r)
	axis = int(r.integers(-len(s), len(s)))
	at = [int(r.integers(1, d + 1)) for d in s]
	at[axis] = int(r.integers(1, 5))
	if r.integers(2):
		m.node("GatherElements", [m.x(s), m.k(r.integers(-s[axis], s[axis], at))], axis=axis)
	else:
		s[axis] = 5
		m.node("GatherElements", [m.x(s), m.x(at, I)], axis=axis)
	return m


def scatter_nd(r):
	m, s = Model(18), shape(r)
	q = int(r.integers(1, len(s) + 1))
	rows, how = int(r.integers(1, 5)), str(r.choice(["none", "add", "mul", "max", "min"]))
	flat = r.permutation(int(np.prod(s[:q])))[:rows] if how == "none" else r.integers(0, int(np.prod(s[:q])), rows)
	index = np.stack(np.unravel_index(flat, s[:q]), -1)
	m.node("ScatterND", [m.x(s), m.k(index), m.x([len(flat)] + s[q:])], reduction=how)
	return m


def scatter_nd_open(r):
	m, s = Model(18), [5] + shape(r, 1, 2)
	m.node("ScatterND", [m.x(s), m.x([1 if r.integers(2) else 4, 1], I), m.x([0] + s[1:])], reduction=str(r.choice(["none", "add", "mul", "max", "min"])))
	m.inputs[2].type.tensor_type.shape.dim[0].dim_value = m.inputs[1].type.tensor_type.shape.dim[0].dim_value
	return m


def scatter_elements(r):
	m, s = Model(18), shape(r)
	axis, how = int(r.integers(-len(s), len(s))), str(r.choice(["none", "add", "mul", "max", "min"]))
	at = [int(r.integers(1, d + 1)) for d in s]
	if how == "none":
		index = np.argsort(r.random(at), axis)
	else:
		index = r.integers(-s[axis], s[axis], at)
	m.node("ScatterElements", [m.x(s), m.k(index), m.x(at)], axis=axis, reduction=how)
	return m


def one_hot(r):
	m, s = Model(), shape(r, 1, 3)
	at = m.x(s, I) if r.integers(2) else m.k(r.integers(-4, 7, s))
	m.node("OneHot", [at, m.k(4), m.k([-1.5, 2.5], np.float32)], axis=int(r.integers(-len(s) - 1, len(s) + 1)))
	return m


def compress(r):
	m, s = Model(), shape(r)
	axis = int(r.integers(-len(s), len(s) + 1))
	cond = r.integers(0, 2, s[axis] if axis < len(s) else 6).astype(bool)
	cond[0] = True
	m.node("Compress", [m.x(s), m.k(cond, bool)], **({"axis": axis} if axis < len(s) else {}))
	return m


def non_zero(r):
	m, s = Model(), shape(r, 1, 3)
	v = r.integers(0, 2, s)
	v.flat[0] = 1
	m.node("Cast", [m.node("NonZero", [m.k(v)], ["n"])], ["f"], to=F)
	m.node("Add", ["f", m.x([1])])
	return m


def reverse_sequence(r):
	m, s = Model(), shape(r, 2, 4)
	t = int(r.integers(2))
	m.node("ReverseSequence", [m.x(s), m.k(r.integers(1, s[t] + 1, s[1 - t]))], time_axis=t, batch_axis=1 - t)
	return m


def topk(r):
	m, s = Model(), shape(r, 1, 4)
	axis, long = int(r.integers(-len(s), len(s))), bool(r.integers(2))
	s[axis] = int(r.integers(130, 160)) if long and r.integers(3) == 0 else int(r.integers(1, 12))
	largest = int(r.integers(2))
	m.node("TopK", [m.x(s), m.k([int(r.integers(1, min(s[axis], 9) + 1))])], ["y", "i"], axis=axis, largest=largest)
	m.outputs = ("y", "i")
	return m


def hardmax(r):
	m, s = Model(int(r.choice([11, 17]))), shape(r)
	m.node("Hardmax", [m.x(s)], axis=int(r.integers(-len(s), len(s))))
	return m


def cumsum(r):
	m, s = Model(), shape(r, 1, 4, 8)
	m.node("CumSum", [m.x(s), m.k(int(r.integers(-len(s), len(s))))], exclusive=int(r.integers(2)), reverse=int(r.integers(2)))
	return m


def einsum(r):
	m = Model()
	size = {c: int(r.integers(1, 5)) for c in "abcdeB"}
	left = list(r.choice(list("abcde"), r.integers(1, 4), replace=False))
	right = list(r.choice(list("abcde"), r.integers(1, 4), replace=False)) if r.integers(4) else None
	if r.integers(4) == 0:
		left.append(left[0])
	dots = r.integers(3) == 0
	terms, operands = [], []
	for t in [left, right] if right is not None else [left]:
		place = int(r.integers(len(t) + 1)) if dots else 0
		terms.append("".join(t[:place]) + ("..." if dots else "") + "".join(t[place:]))
		dims = [size[c] for c in t]
		if dots:
			dims[place:place] = [2, size["B"]] if r.integers(2) else [size["B"]]
		operands.append(m.x(dims) if not operands or r.integers(2) else m.k(r.standard_normal(dims), np.float32))
	equation = ",".join(terms)
	if r.integers(4):
		letters = sorted(set("".join(terms)) - {"."})
		out = list(r.permutation(letters)[:int(r.integers(0, len(letters) + 1))])
		equation += "->" + ("..." if dots else "") + "".join(out)
	m.node("Einsum", operands, equation=equation)
	return m


def dft(r):
	m, s = Model(20), shape(r, 1, 2, 9)
	inverse, onesided = [(0, 0), (0, 1), (1, 0)][int(r.integers(3))]
	axis = int(r.integers(0, len(s)))
	inputs = [m.x(s + [2 if inverse or (not onesided and r.integers(2)) else 1])]
	inputs += [m.k(int(r.integers(1, 12)))] if r.integers(2) else [""]
	inputs += [m.k(axis if r.integers(2) else axis - len(s) - 1)]
	m.node("DFT", inputs, inverse=inverse, onesided=onesided)
	return m


def stft(r):
	m, size = Model(), int(r.integers(2, 17))
	length = size + int(r.integers(0, 20))
	onesided = int(r.integers(2))
	signal = m.x([int(r.integers(1, 3)), length, 1 if onesided or r.integers(2) else 2])
	inputs = [signal, m.k(int(r.integers(1, 7)))]
	inputs += [m.k(np.hanning(size + 2)[1:-1], np.float32)] if r.integers(2) else ["", m.k(size)]
	m.node("STFT", inputs, onesided=onesided)
	return m


def grid_sample(r):
	m = Model(20)
	n, c, hh, w = [int(v) for v in r.integers(1, 6, 4)]
	grid = r.uniform(-1.6, 1.6, [n, int(r.integers(1, 5)), int(r.integers(1, 5)), 2])
	m.node("GridSample", [m.x([n, c, hh, w]), m.k(grid, np.float32)], mode=str(r.choice(["nearest", "linear", "cubic"])), padding_mode=str(r.choice(["zeros", "border", "reflection"])),
		align_corners=int(r.integers(2)))
	return m


def affine_grid(r):
	m, d = Model(20), int(r.integers(2, 4))
	n = int(r.integers(1, 3))
	m.node("AffineGrid", [m.x([n, d, d + 1]), m.k([n, 2] + [int(v) for v in r.integers(2, 5, d)])], align_corners=int(r.integers(2)))
	return m


def lp_norm(r):
	m, s = Model(), shape(r, 1, 4)
	m.node("LpNormalization", [m.x(s)], axis=int(r.integers(-len(s), len(s))), p=int(r.integers(1, 3)))
	return m


def formula(r):
	m, s = Model(22), shape(r)
	op = str(r.choice(["Acos", "Acosh", "Asin", "Asinh", "Atanh", "Cosh", "Sinh", "Tan"]))
	x = m.node("Mul", [m.x(s), m.k(0.9, np.float32)], ["h"])
	if op == "Acosh":
		x = m.node("Add", [x, m.k(2, np.float32)], ["j"])
	m.node(op, [x])
	return m


def trilu(r):
	m, s = Model(), shape(r, 2, 4)
	m.node("Trilu", [m.x(s, F if r.integers(2) else I), m.k(int(r.integers(-3, 4)))], upper=int(r.integers(2)))
	return m


def is_inf(r):
	m, s = Model(20), shape(r)
	v = m.node("Div", [m.x(s), m.node("Relu", [m.node("Sub", [m.x(s), m.k(0.3, np.float32)], ["d"])], ["z"])], ["q"])
	op = str(r.choice(["IsInf", "IsNaN"]))
	m.node("Cast", [m.node(op, [v], ["t"], **({"detect_positive": int(r.integers(2)), "detect_negative": int(r.integers(2))} if op == "IsInf" else {}))], to=F)
	return m


def rotary(r):
	m = Model(23)
	b, heads, t, half = [int(v) for v in r.integers(1, 4, 4)]
	more = 2 * int(r.integers(2))
	flat = bool(r.integers(2))
	x = m.x([b, t, heads * (2 * half + more)] if flat else [b, heads, t, 2 * half + more])
	angle = r.uniform(-3, 3, [5, half] if r.integers(2) else [b, t, half])
	inputs = [x, m.k(np.cos(angle), np.float32), m.k(np.sin(angle), np.float32)]
	if angle.ndim == 2:
		inputs.append(m.k(r.integers(0, 5, [b, t])))
	m.node("RotaryEmbedding", inputs, interleaved=int(r.integers(2)), rotary_embedding_dim=2 * half if more else 0, **({"num_heads": heads} if flat else {}))
	return m


def branch(r):
	m, s = Model(), shape(r)
	x, rank = m.x(s), len(s)
	d = m.node("Gather", [m.node("Shape", [x], ["s"]), m.k(int(r.integers(rank)))], ["d"], axis=0)
	c = m.node(str(r.choice(["Equal", "Less", "Greater"])), [d, m.k(int(r.integers(1, 5)))], ["c"])
	if r.integers(2):
		c = m.node("Not", [c], ["nc"])
	a = h.make_graph([h.make_node("Neg", [x], ["t"]), h.make_node("Reshape", ["t", "r"], ["e"])], "a", [], [onnx.ValueInfoProto(name="e")], [numpy_helper.from_array(np.array([-1]), "r")])
	b = h.make_graph([h.make_node("Sin", [x], ["t"]), h.make_node("Flatten", ["t"], ["e"])], "b", [], [onnx.ValueInfoProto(name="e")])
	m.node("If", [c], then_branch=a, else_branch=b)
	return m


def function(r):
	m, s = Model(), shape(r)
	ref = onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
	leaky = h.make_node("LeakyRelu", ["a"], ["t"])
	leaky.attribute.append(ref)
	m.functions.append(h.make_function("pkg", "leaky", ["a"], ["b"], [leaky, h.make_node("Neg", ["t"], ["b"])], [h.make_opsetid("", 17)], ["slope"]))
	call = h.make_node("leaky", ["v"], ["u"], domain="pkg", slope=0.25)
	m.functions.append(h.make_function("pkg", "twice", ["v"], ["b"], [call, h.make_node("leaky", ["u"], ["b"], domain="pkg", slope=float(r.integers(1, 5)))],
		[h.make_opsetid("", 17), h.make_opsetid("pkg", 1)]))
	m.node("twice", [m.x(s)], ["b"], domain="pkg")
	m.node("twice", ["b"], domain="pkg")
	return m


def ml_simple(r):
	m, c = Model(), int(r.integers(1, 6))
	n = int(r.integers(1, 4))
	x, kind = m.x([n, c]), int(r.integers(8))
	size = c if r.integers(2) else 1
	if kind == 0:
		m.node("Scaler", [x], domain=ML, offset=r.uniform(-1, 1, size).tolist(), scale=r.uniform(-2, 2, size).tolist())
	elif kind == 1:
		m.node("Normalizer", [x], domain=ML, norm=str(r.choice(["MAX", "L1", "L2"])))
	elif kind == 2:
		m.node("Binarizer", [x], domain=ML, threshold=float(r.uniform(-1, 1)))
	elif kind == 3:
		m.node("FeatureVectorizer", [x, m.x([n, 3])], domain=ML, inputdimensions=[c, 3])
	elif kind == 4:
		m.node("ArrayFeatureExtractor", [x, m.k(r.integers(0, c, 4))], domain=ML)
	elif kind == 5:
		v = m.node("Where", [m.node("Greater", [x, m.k(0.4, np.float32)], ["g"]), m.k(np.nan, np.float32), x], ["v"])
		m.node("Imputer", [v], domain=ML, imputed_value_floats=r.uniform(-1, 1, size).tolist(), replaced_value_float=float("nan"))
	elif kind == 6:
		whole = bool(r.integers(2))
		keys = {"keys_int64s": [0, 2, 4, 9], "values_floats": [1.5, -2.5, 3.5, 0.5], "default_float": 7.0} if whole else {"keys_floats": [0.04, -0.9, 0.8], "values_int64s": [5, -6, 7]}
		m.node("LabelEncoder", [m.x([n, c], I) if whole else x], domain=ML, **keys)
		m.node("Identity", [x], ["z"])
	else:
		m.node("LinearRegressor", [x], domain=ML, coefficients=r.uniform(-1, 1, 2 * c).tolist(), intercepts=[0.5, -0.25], targets=2)
	return m


def ml_linear(r):
	m, c = Model(), int(r.integers(1, 6))
	rows = int(r.integers(1, 5))
	labels = [int(v) for v in r.permutation(9)[:max(rows, 2)]]
	how = str(r.choice(["NONE", "LOGISTIC", "SOFTMAX"]))
	m.node("LinearClassifier", [m.x([int(r.integers(1, 4)), c])], ["l", "p"], domain=ML, coefficients=r.uniform(-1, 1, rows * c).tolist(), intercepts=r.uniform(-1, 1, rows).tolist(),
		classlabels_ints=labels, post_transform=how, multi_class=int(r.integers(2)))
	m.node("Identity", ["p"])
	m.outputs = ("l", "y")
	return m


def ml_tree(r):
	m, c, trees, outs = Model(), int(r.integers(1, 5)), int(r.integers(1, 4)), int(r.integers(1, 4))
	a = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "missing_value_tracks_true")}
	leaves = []
	order = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE"] if r.integers(2) else [str(r.choice(["BRANCH_LEQ", "BRANCH_LT", "BRANCH_EQ", "BRANCH_NEQ"]))]
	value = lambda: float(((37 * int(r.integers(101)) + 5) % 101) / np.float32(50) - np.float32(1))

	def grow(tree, depth, count):
		me, at = count[0], len(a["nodeids"])
		count[0] += 1
		leaf = depth == 0 or (depth < 3 and r.integers(4) == 0)
		for k, v in (("treeids", tree), ("nodeids", me), ("featureids", int(r.integers(c))), ("values", value()), ("modes", "LEAF" if leaf else str(r.choice(order))), ("truenodeids", 0),
			("falsenodeids", 0), ("missing_value_tracks_true", 0)):
			a[k].append(v)
		if leaf:
			leaves.append((tree, me))
			return me
		a["truenodeids"][at] = grow(tree, depth - 1, count)
		a["falsenodeids"][at] = grow(tree, depth - 1, count)
		return me

	for t in range(trees):
		grow(t, int(r.integers(0, 4)), [0])
	nodes = {"nodes_" + k: v for k, v in a.items()}
	x = m.x([int(r.integers(1, 6)), c])
	if r.integers(2):
		held = [(t, n, int(k)) for t, n in leaves for k in range(outs)]
		m.node("TreeEnsembleRegressor", [x], domain=ML, n_targets=outs, target_treeids=[h_[0] for h_ in held], target_nodeids=[h_[1] for h_ in held], target_ids=[h_[2] for h_ in held],
			target_weights=r.uniform(-1, 1, len(held)).tolist(), aggregate_function=str(r.choice(["SUM", "AVERAGE"])), **({"base_values": r.uniform(-1, 1, outs).tolist()} if r.integers(2) else {}), **nodes)
		return m
	binary = bool(r.integers(2))
	which = [int(r.integers(2))] if binary else range(outs + 2)  # of both of two classes ONNX Runtime 1.32 gives other labels than the largest score
	held = [(t, n, int(k)) for t, n in leaves for k in which]
	votes = bool(r.integers(2))
	weights = r.uniform(0 if votes else -1, 1, len(held)) / trees
	m.node("TreeEnsembleClassifier", [x], ["l", "y"], domain=ML, class_treeids=[h_[0] for h_ in held], class_nodeids=[h_[1] for h_ in held], class_ids=[h_[2] for h_ in held], class_weights=weights.tolist(),
		classlabels_int64s=[int(v) for v in r.permutation(9)[:2 if binary else outs + 2]], post_transform=str(r.choice(["NONE", "LOGISTIC", "SOFTMAX"])), **nodes)
	m.outputs = ("l", "y")
	return m


def power(r):
	"""A whole base with a real exponent is cut, with a whole one it is exact."""
	m, s = Model(), shape(r)
	whole, real = bool(r.integers(2)), bool(r.integers(4))
	e = r.integers(1, 7, s[-1:]) / 2 if real else r.integers(0, 4, s[-1:])
	m.node("Pow", [m.x(s, I) if whole else m.x(s, I if real else F), m.k(e, np.float32 if real else np.int64)])
	return m


KINDS = [power, gather_nd, gather_elements, scatter_nd, scatter_nd_open, scatter_elements, one_hot, compress, non_zero, reverse_sequence, topk, hardmax, cumsum, einsum, dft, stft, grid_sample,
	affine_grid, lp_norm, formula, trilu, is_inf, rotary, branch, function, ml_simple, ml_linear, ml_tree]


def feeds_of(model):
	feeds = {}
	for i, v in enumerate(model.graph.input):
		dims = [d.dim_value for d in v.type.tensor_type.shape.dim]
		k = np.arange(int(np.prod(dims)))
		if v.type.tensor_type.elem_type == F:
			feeds[v.name] = (((37 * k + 11 * i + 5) % 101).astype(np.float32) / np.float32(50) - np.float32(1)).reshape(dims)
		else:
			feeds[v.name] = ((7 * k + i) % 5).astype(np.int64).reshape(dims)
	return feeds


def truth(model, feeds):
	"""What ONNX Runtime computes; None: it refuses the model."""
	try:
		options = onnxruntime.SessionOptions()
		options.log_severity_level = 4
		return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, feeds)
	except Exception:
		return None


def drawn(kind, seed):
	m = kind(np.random.default_rng(seed))
	model = m.build(getattr(m, "outputs", ("y",)))
	feeds = feeds_of(model)
	return model, feeds, truth(model, feeds)


def check(coppice, count, only):
	bad = refused = done = none = 0
	said = {}
	for kind in KINDS:
		if only and only not in kind.__name__:
			continue
		for seed in range(count):
			model, feeds, want = drawn(kind, seed)
			if want is None or any(w is not None and np.asarray(w).size == 0 for w in want):
				none += 1
				continue
			with tempfile.TemporaryDirectory() as d:
				onnx.save(model, d + "/m.onnx")
				for i, (name, v) in enumerate(feeds.items()):
					np.save("%s/in%02d.npy" % (d, i), v.astype(np.int32) if v.dtype == np.int64 else v)
				line = [coppice, "run", d + "/m.onnx"] + ["%s/in%02d.npy" % (d, i) for i in range(len(feeds))] + ["-q", "-o", d + "/out/"]
				p = subprocess.run(line, capture_output=True, text=True)
				if p.returncode:
					refused += 1
					said.setdefault(kind.__name__ + ": " + p.stderr.strip().split("m.onnx: ")[-1], []).append(seed)
					continue
				done += 1
				for i, w in enumerate(want):
					got = np.load("%s/out/output_%d.npy" % (d, i))
					w = np.asarray(w)
					ok = got.shape == w.shape and np.allclose(got.astype(np.float64), w.astype(np.float64), 1e-4, 2e-5 * max(1, float(np.nanmax(np.abs(np.nan_to_num(w.astype(np.float64), posinf=0, neginf=0))))), True)
					if not ok:
						bad += 1
						print("WRONG", kind.__name__, seed, i, got.shape, w.shape, onnx.printer.to_text(model.graph)[:400] if bad < 4 else "")
						break
	for text, seeds in sorted(said.items(), key=lambda s: -len(s[1]))[:25]:
		print(len(seeds), text, "seed", seeds[0])
	print("%d right, %d wrong, %d refused, %d that ONNX Runtime refuses" % (done - bad, bad, refused, none))
	return bad


def write():
	for kind in KINDS:
		left = 6 if kind.__name__.startswith("ml_") else 3
		for seed in range(1000, 1200):
			model, _, want = drawn(kind, seed)
			if want is None or not left or any(np.asarray(w).size > 40 or np.asarray(w).size == 0 for w in want) or len(model.SerializeToString()) > 1000:
				continue
			left -= 1
			print("model %s %s" % (kind.__name__, model.SerializeToString().hex()))
			for w in want:
				print("want " + " ".join(str(d) for d in w.shape) + " : " + " ".join("%.7g" % v for v in np.asarray(w, np.float64).ravel()))


def main():
	p = argparse.ArgumentParser()
	p.add_argument("--check")
	p.add_argument("--count", type=int, default=300)
	p.add_argument("--only", default="")
	a = p.parse_args()
	if a.check:
		return 1 if check(a.check, a.count, a.only) else 0
	write()
	return 0


if __name__ == "__main__":
	sys.exit(main())
