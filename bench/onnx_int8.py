#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""int8 ONNX in and out against ONNX Runtime.

In: float networks (those of bench/onnx_networks.py with random weights, and float MODELs, exported) quantised by onnxruntime.quantization
(static; QDQ and QOperator, int8 and uint8 activations), run by ONNX Runtime and by `coppice run`. Out: int8 MODELs exported by
`coppice export`, accepted by onnx.checker, run by ONNX Runtime and by `coppice run`; and what was exported, read again. A difference is
counted in steps of the output's scale. `values` says how many different numbers the results hold: few of them prove little.

usage: onnx_int8.py [--coppice build/coppice] [--only NAME] [--keep FOLDER] [--samples N] [--json FILE] [--no-networks] [--optimise] [MODEL[=DATA[*FACTOR]] ...]
MODEL is a .cop or .tflite. DATA, a name of `coppice data list`, gives its samples, pixels times FACTOR; without it they are random.
--optimise lets ONNX Runtime fuse, as it does by itself. Needs torch, onnx and onnxruntime; says so and ends where they are absent.
"""
import argparse
import json
import pathlib
import sys
import tempfile
import warnings

try:
	import numpy as np
	import onnx
	import onnxruntime
	import torch
	from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
	from onnxruntime.quantization.shape_inference import quant_pre_process
except ImportError as missing:
	print(f"skipped: {missing}")
	sys.exit(0)

warnings.filterwarnings("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import onnx_networks as nets  # noqa: E402

FORMS = {
	"qdq-s8": (QuantFormat.QDQ, QuantType.QInt8, True), "qdq-u8": (QuantFormat.QDQ, QuantType.QUInt8, False),
	"qop-s8": (QuantFormat.QOperator, QuantType.QInt8, True), "qop-u8": (QuantFormat.QOperator, QuantType.QUInt8, False),
}
NETWORKS = ("lenet", "vgg", "dscnn", "autoencoder", "mobilenet_v2", "resnet18", "squeezenet", "shufflenet_v2", "mobilenet_v3", "unet", "vit")
FIELDS = ("case", "form", "same", "steps", "class", "values", "layers", "failed")


class Samples(CalibrationDataReader):
	def __init__(self, name, xs):
		self.rows = iter([{name: x} for x in xs])

	def get_next(self):
		return next(self.rows, None)


def made(name, folder):
	"""A network of onnx_networks.py as a float ONNX."""
	make, shape = nets.NETWORKS[name]
	path = folder / f"{name}.onnx"
	torch.manual_seed(1)
	if not path.exists():
		torch.onnx.export(nets.randomise(make()), (torch.randn(*shape),), str(path), dynamo=False, opset_version=17, input_names=["x"])
	return path


def quantised(source, form, name, calibration):
	ready, path = source.with_suffix(".ready.onnx"), source.with_suffix(f".{form}.onnx")
	if not ready.exists():
		quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
	fmt, act, per_channel = FORMS[form]
	quantize_static(str(ready), str(path), Samples(name, calibration), quant_format=fmt, activation_type=act, weight_type=QuantType.QInt8, per_channel=per_channel,
		reduce_range=act == QuantType.QUInt8)  # 7 bits, so that the same sums do not saturate
	return path


def step_of(path):
	"""The scale of the output: of the DequantizeLinear that makes it, or 1 for bytes; 0 for floats."""
	graph = onnx.load(str(path)).graph
	known = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
	if graph.output[0].type.tensor_type.elem_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8):
		return 1.0
	made = {n.output[0]: n for n in graph.node}
	n = made.get(graph.output[0].name)
	while n is not None and n.op_type in ("Reshape", "Identity", "Transpose", "Flatten"):
		n = made.get(n.input[0])
	return float(known[n.input[1]]) if n is not None and n.op_type == "DequantizeLinear" else 0.0


def session(path, optimise=False):
	options = onnxruntime.SessionOptions()
	options.intra_op_num_threads = 1
	options.log_severity_level = 3
	# QDQ as it is written: without this the optimizer makes products of unsigned by signed bytes, whose sums saturate at 16 bits on processors without VNNI
	if not optimise:
		options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
	return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def stored(path, xs, kind):
	"""Samples as bytes, by the scale that the model reads its input with."""
	graph = onnx.load(str(path)).graph
	known = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
	names = {graph.input[0].name}
	for n in graph.node:
		if n.op_type == "DequantizeLinear" and n.input[0] in names:
			low, high = np.iinfo(kind).min, np.iinfo(kind).max
			return [np.clip(np.round(x / known[n.input[1]]) + int(known[n.input[2]]), low, high).astype(kind) for x in xs]
		if n.input[0] in names:
			names.add(n.output[0])
	raise RuntimeError("no scale of its input")


def inputs(path, a, data, samples, folder, seed=1):
	"""The name of the input, and samples for it: of a data set, or random."""
	rng, x = np.random.default_rng(seed), session(path).get_inputs()[0]
	shape, kind = [d if isinstance(d, int) else 1 for d in x.shape], {"tensor(int8)": np.int8, "tensor(uint8)": np.uint8}.get(x.type, np.float32)
	if data:
		name, _, factor = data.partition("*")
		failed = nets.call(a.coppice, "data", "export", name, "--limit", samples, "-o", folder / "set.npy")
		if failed:
			raise RuntimeError(failed)
		xs = [(v * np.float32(factor or 1)).reshape(shape) for v in np.load(folder / "set.npy")]
		return x.name, xs if kind == np.float32 else stored(path, xs, kind)
	if kind == np.float32:
		return x.name, [rng.standard_normal(shape).astype(np.float32) for _ in range(samples)]
	return x.name, [rng.integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, shape).astype(kind) for _ in range(samples)]


def ours(coppice, model, x, folder):
	np.save(folder / "x.npy", x)
	failed = nets.call(coppice, "run", model, folder / "x.npy", "-o", folder / "y.npy")
	if failed:
		raise RuntimeError(failed)
	return np.load(folder / "y.npy")


def compare(row, got, want, step):
	"""Shares of equal numbers and classes, the largest difference in steps (relative where the output has none)."""
	a, b = np.stack([g.astype(np.float64) for g in got]), np.stack([w.astype(np.float64).reshape(g.shape) for g, w in zip(got, want)])
	unit = step or np.abs(b).max()
	off = np.abs(a - b) / unit
	row["same"], row["steps"] = float((off < (0.5 if step else 1e-5)).mean()), float(off.max())
	row["values"] = len(np.unique(b))
	flat = (len(a), -1)
	row["class"] = float((a.reshape(flat).argmax(1) == b.reshape(flat).argmax(1)).mean())


def layers(coppice, model, folder):
	"""Integer layers of all layers, in the graph that coppice makes."""
	if nets.call(coppice, "apply", model, "dce", "-o", folder / "graph.cop"):
		return ""
	text = (folder / "graph.cop").read_bytes().split(b"\nblobs ")[0].decode()
	words = [w for line in text.splitlines() for w in line.split()[:4]]
	q, f = words.count("qconv"), words.count("conv") + words.count("fc") + words.count("matmul")
	return f"{q}/{q + f}"


def row_of(case, form, work):
	"""A row that work(row) fills in, or its failure."""
	row = {"case": case, "form": form, "failed": ""}
	try:
		work(row)
	except Exception as e:  # noqa: BLE001
		row["failed"] = str(e).splitlines()[0][:150]
	show(row)
	return row


def imported(source, a, data, folder):
	"""A float ONNX, quantised by ONNX Runtime: a row for each form."""
	def work(row):
		path = quantised(source, row["form"], *inputs(source, a, data, 8, folder, seed=0))
		x_name, xs = inputs(path, a, data, a.samples, folder)
		s = session(path, a.optimise)
		compare(row, [ours(a.coppice, path, x, folder) for x in xs], [s.run(None, {x_name: x})[0] for x in xs], step_of(path))
		row["layers"] = layers(a.coppice, path, folder)
	return [row_of(source.stem, form, work) for form in FORMS]


def exported(model, path, a, data, folder):
	"""Two rows: ONNX Runtime on what was exported, and what was exported read again, both against the model itself."""
	def work(row):
		onnx.checker.check_model(str(path), full_check=True)
		s = session(path, a.optimise)
		x_name, xs = inputs(path, a, data, a.samples, folder)
		want = [ours(a.coppice, model, x, folder) for x in xs]
		got = [s.run(None, {x_name: x})[0] if row["form"] == "export" else ours(a.coppice, path, x, folder) for x in xs]
		compare(row, got, want, step_of(path))
		row["layers"] = layers(a.coppice, path, folder)
	return [row_of(path.stem, form, work) for form in ("export", "again")]


def of_file(word, a, folder):
	model, _, data = word.partition("=")
	path = folder / (pathlib.Path(model).stem + ".onnx")
	failed = nets.call(a.coppice, "export", model, "-o", path)
	if failed:
		return [row_of(path.stem, "export", lambda row: row.update(failed=failed))]
	whole = any(n.op_type == "DequantizeLinear" for n in onnx.load(str(path)).graph.node)
	return exported(model, path, a, data, folder) if whole else imported(path, a, data, folder)


def show(row):
	cell = {k: row.get(k, "") for k in FIELDS}
	for k, form in (("same", "{:.4%}"), ("steps", "{:.3g}"), ("class", "{:.1%}")):
		cell[k] = form.format(cell[k]) if cell[k] != "" else "-"
	print(f"{cell['case']:34} {cell['form']:7} {cell['same']:>10} {cell['steps']:>8} {cell['class']:>7} {cell['values']:>7} {cell['layers']:>7}  {cell['failed']}", flush=True)


def main():
	p = argparse.ArgumentParser()
	p.add_argument("--coppice", default="build/coppice")
	p.add_argument("--only")
	p.add_argument("--keep")
	p.add_argument("--json")
	p.add_argument("--samples", type=int, default=10)
	p.add_argument("--no-networks", action="store_true")
	p.add_argument("--optimise", action="store_true")
	p.add_argument("models", nargs="*")
	a = p.parse_args()
	rows = []
	with tempfile.TemporaryDirectory() as temporary:
		folder = pathlib.Path(a.keep or temporary)
		folder.mkdir(exist_ok=True)
		print(f"{'network':34} {'form':7} {'same':>10} {'steps':>8} {'class':>7} {'values':>7} {'layers':>7}")
		for name in () if a.no_networks else NETWORKS:
			if not a.only or a.only == name:
				rows += imported(made(name, folder), a, "", folder)
		for word in a.models:
			rows += of_file(word, a, folder)
	if a.json:
		pathlib.Path(a.json).write_text(json.dumps(rows, indent=1))
	return any(r["failed"] for r in rows)


if __name__ == "__main__":
	sys.exit(main())
