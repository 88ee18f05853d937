#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Networks of common architectures, with random weights: PyTorch exports them, ONNX Runtime and `coppice run` compute the same
inputs, and the largest difference is printed, relative to the largest result. Then the other way: `coppice export` writes what
it read as ONNX, and ONNX Runtime computes that. All must stay within 1e-4.

usage: onnx_networks.py [--coppice build/coppice] [--only NAME] [--keep FOLDER] [--dynamo] [--import-only]
Needs torch, onnx and onnxruntime; says so and ends where they are absent.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

try:
	import numpy as np
	import onnxruntime
	import torch
	from torch import nn
	import torch.nn.functional as F
except ImportError as missing:
	print(f"skipped: {missing}")
	sys.exit(0)

LIMIT = 1e-4


# ---- building blocks ----

def conv_bn(i, o, k=3, s=1, groups=1, act=nn.ReLU, d=1):
	layers = [nn.Conv2d(i, o, k, s, (k - 1) // 2 * d, groups=groups, bias=False, dilation=d), nn.BatchNorm2d(o)]
	return nn.Sequential(*layers, *([act()] if act else []))


class Residual(nn.Module):
	def __init__(self, i, o, s):
		super().__init__()
		self.body = nn.Sequential(conv_bn(i, o, 3, s), conv_bn(o, o, act=None))
		self.skip = conv_bn(i, o, 1, s, act=None) if s != 1 or i != o else nn.Identity()

	def forward(self, x):
		return F.relu(self.body(x) + self.skip(x))


class SqueezeExcite(nn.Module):
	def __init__(self, c, mid, gate):
		super().__init__()
		self.down, self.up, self.gate = nn.Conv2d(c, mid, 1), nn.Conv2d(mid, c, 1), gate

	def forward(self, x):
		return x * self.gate(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))


class Inverted(nn.Module):
	def __init__(self, i, mid, o, k, s, act, se=None):
		super().__init__()
		parts = [conv_bn(i, mid, 1, act=act)] if mid != i else []
		parts.append(conv_bn(mid, mid, k, s, mid, act))
		if se:
			parts.append(SqueezeExcite(mid, max(8, i // 4), se))
		self.body = nn.Sequential(*parts, conv_bn(mid, o, 1, act=None))
		self.same = s == 1 and i == o

	def forward(self, x):
		return x + self.body(x) if self.same else self.body(x)


class Head(nn.Module):
	def __init__(self, c, classes):
		super().__init__()
		self.fc = nn.Linear(c, classes)

	def forward(self, x):
		return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


# ---- architectures ----

def resnet18():
	layers = [conv_bn(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
	for i, o, s in ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)):
		layers.append(Residual(i, o, s))
	return nn.Sequential(*layers, Head(512, 1000))


def mobilenet_v2():
	layers, c = [conv_bn(3, 32, 3, 2, act=nn.ReLU6)], 32
	for t, o, n, s in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
		for i in range(n):
			layers.append(Inverted(c, c * t, o, 3, s if i == 0 else 1, nn.ReLU6))
			c = o
	return nn.Sequential(*layers, conv_bn(c, 1280, 1, act=nn.ReLU6), Head(1280, 1000))


def mobilenet_v3():
	rows = ((16, 16, 3, 2, nn.ReLU, 1), (72, 24, 3, 2, nn.ReLU, 0), (88, 24, 3, 1, nn.ReLU, 0), (96, 40, 5, 2, nn.Hardswish, 1), (240, 40, 5, 1, nn.Hardswish, 1),
		(120, 48, 5, 1, nn.Hardswish, 1), (288, 96, 5, 2, nn.Hardswish, 1), (576, 96, 5, 1, nn.Hardswish, 1))
	layers, c = [conv_bn(3, 16, 3, 2, act=nn.Hardswish)], 16
	for mid, o, k, s, act, se in rows:
		layers.append(Inverted(c, mid, o, k, s, act, nn.Hardsigmoid() if se else None))
		c = o
	return nn.Sequential(*layers, conv_bn(c, 576, 1, act=nn.Hardswish), Head(576, 1000))


def efficientnet_b0():
	layers, c = [conv_bn(3, 32, 3, 2, act=nn.SiLU)], 32
	for t, o, n, s, k in ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)):
		for i in range(n):
			layers.append(Inverted(c, c * t, o, k, s if i == 0 else 1, nn.SiLU, nn.Sigmoid()))
			c = o
	return nn.Sequential(*layers, conv_bn(c, 1280, 1, act=nn.SiLU), Head(1280, 1000))


class Fire(nn.Module):
	def __init__(self, i, s, e):
		super().__init__()
		self.s, self.a, self.b = nn.Conv2d(i, s, 1), nn.Conv2d(s, e, 1), nn.Conv2d(s, e, 3, padding=1)

	def forward(self, x):
		x = F.relu(self.s(x))
		return torch.cat([F.relu(self.a(x)), F.relu(self.b(x))], 1)


def squeezenet():
	return nn.Sequential(nn.Conv2d(3, 64, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(64, 16, 64), Fire(128, 16, 64), nn.MaxPool2d(3, 2, ceil_mode=True),
		Fire(128, 32, 128), Fire(256, 32, 128), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
		nn.Dropout(), nn.Conv2d(512, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Shuffle(nn.Module):
	def __init__(self, i, o, s):
		super().__init__()
		half = o // 2
		self.s, ci = s, i if s > 1 else i // 2
		self.right = nn.Sequential(conv_bn(ci, half, 1), conv_bn(half, half, 3, s, half, None), conv_bn(half, half, 1))
		self.left = nn.Sequential(conv_bn(ci, ci, 3, s, ci, None), conv_bn(ci, half, 1)) if s > 1 else nn.Identity()

	def forward(self, x):
		a, b = (x, x) if self.s > 1 else x.chunk(2, 1)
		y = torch.cat([self.left(a), self.right(b)], 1)
		n, c, h, w = y.shape
		return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def shufflenet_v2():
	layers, c = [conv_bn(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1)], 24
	for o, n in ((116, 4), (232, 8), (464, 4)):
		for i in range(n):
			layers.append(Shuffle(c, o, 2 if i == 0 else 1))
			c = o
	return nn.Sequential(*layers, conv_bn(c, 1024, 1), Head(1024, 1000))


class Block(nn.Module):
	"""Attention and a perceptron, each behind a normalisation."""
	def __init__(self, d, heads):
		super().__init__()
		self.n1, self.n2, self.heads = nn.LayerNorm(d), nn.LayerNorm(d), heads
		self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
		self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))

	def attend(self, x, mask=None):
		b, n, d = x.shape
		q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
		s = q @ k.transpose(-2, -1) / (d // self.heads) ** 0.5
		if mask is not None:
			s = s + mask
		return self.out((s.softmax(-1) @ v).transpose(1, 2).reshape(b, n, d))

	def forward(self, x):
		x = x + self.attend(self.n1(x))
		return x + self.mlp(self.n2(x))


class ViT(nn.Module):
	def __init__(self, d=128, depth=4, heads=4, patch=8, size=64):
		super().__init__()
		self.patch = nn.Conv2d(3, d, patch, patch)
		self.token, self.place = nn.Parameter(torch.randn(1, 1, d)), nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, d))
		self.blocks, self.norm, self.head = nn.Sequential(*[Block(d, heads) for _ in range(depth)]), nn.LayerNorm(d), nn.Linear(d, 100)

	def forward(self, x):
		x = self.patch(x).flatten(2).transpose(1, 2)
		x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
		return self.head(self.norm(self.blocks(x))[:, 0])


class Window(Block):
	"""A block within windows of w x w, shifted or not."""
	def __init__(self, d, heads, size, w, shift):
		super().__init__(d, heads)
		self.size, self.w, self.shift = size, w, shift

	def forward(self, x):
		b, n, d = x.shape
		s, w, k = self.size, self.w, self.size // self.w
		y = self.n1(x).view(b, s, s, d)
		if self.shift:
			y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
		y = y.view(b, k, w, k, w, d).permute(0, 1, 3, 2, 4, 5).reshape(b * k * k, w * w, d)
		y = self.attend(y).view(b, k, k, w, w, d).permute(0, 1, 3, 2, 4, 5).reshape(b, s, s, d)
		if self.shift:
			y = torch.roll(y, (self.shift, self.shift), (1, 2))
		x = x + y.reshape(b, n, d)
		return x + self.mlp(self.n2(x))


class Merge(nn.Module):
	def __init__(self, d, size):
		super().__init__()
		self.size, self.norm, self.fc = size, nn.LayerNorm(4 * d), nn.Linear(4 * d, 2 * d, bias=False)

	def forward(self, x):
		b, n, d = x.shape
		x = x.view(b, self.size, self.size, d)
		x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
		return self.fc(self.norm(x.reshape(b, n // 4, 4 * d)))


class Swin(nn.Module):
	def __init__(self):
		super().__init__()
		self.patch = nn.Conv2d(3, 32, 4, 4)
		self.body = nn.Sequential(Window(32, 2, 16, 4, 0), Window(32, 2, 16, 4, 2), Merge(32, 16), Window(64, 4, 8, 4, 0), Window(64, 4, 8, 4, 2))
		self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 100)

	def forward(self, x):
		x = self.body(self.patch(x).flatten(2).transpose(1, 2))
		return self.head(self.norm(x).mean(1))


class Recurrent(nn.Module):
	def __init__(self, kind, **more):
		super().__init__()
		self.net = kind(16, 24, num_layers=2, batch_first=True, bidirectional=True, **more)
		self.head = nn.Linear(48, 10)

	def forward(self, x):
		return self.head(self.net(x)[0][:, -1])


def lenet():
	return nn.Sequential(nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10))


def vgg():
	layers, c = [], 3
	for o in (32, 32, 0, 64, 64, 0, 128, 128, 0):
		layers += [nn.MaxPool2d(2)] if not o else [conv_bn(c, o)]
		c = o or c
	return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 10))


def dscnn():
	layers = [nn.Sequential(nn.Conv2d(1, 64, (10, 4), 2, (4, 1), bias=False), nn.BatchNorm2d(64), nn.ReLU())]
	for _ in range(4):
		layers += [conv_bn(64, 64, 3, 1, 64), conv_bn(64, 64, 1)]
	return nn.Sequential(*layers, Head(64, 12))


def autoencoder():
	widths, layers = (640, 128, 128, 128, 8, 128, 128, 128, 640), []
	for i, o in zip(widths, widths[1:]):
		layers += [nn.Linear(i, o), nn.BatchNorm1d(o), nn.ReLU()]
	return nn.Sequential(*layers[:-2])


class UNet(nn.Module):
	"""Transposed convolutions, upsampling both ways, and PReLU."""
	def __init__(self):
		super().__init__()
		self.a, self.b, self.c = conv_bn(3, 16), conv_bn(16, 32, 3, 2), conv_bn(32, 64, 3, 2, act=nn.PReLU)
		self.up, self.mix, self.out = nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), conv_bn(64, 16, act=nn.ELU), nn.Conv2d(32, 5, 1)

	def forward(self, x):
		a = self.a(x)
		b = self.b(a)
		y = self.mix(torch.cat([self.up(self.c(b)), b], 1))
		y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False) + F.interpolate(y, scale_factor=2, mode="nearest")
		return self.out(torch.cat([y, a], 1)).softmax(1)


NETWORKS = {
	"lenet": (lenet, (1, 1, 28, 28)), "vgg": (vgg, (1, 3, 32, 32)), "dscnn": (dscnn, (1, 1, 49, 10)), "autoencoder": (autoencoder, (1, 640)),
	"resnet18": (resnet18, (1, 3, 224, 224)), "mobilenet_v2": (mobilenet_v2, (1, 3, 224, 224)), "mobilenet_v3": (mobilenet_v3, (1, 3, 224, 224)),
	"efficientnet_b0": (efficientnet_b0, (1, 3, 224, 224)), "squeezenet": (squeezenet, (1, 3, 224, 224)), "shufflenet_v2": (shufflenet_v2, (1, 3, 224, 224)),
	"vit": (ViT, (1, 3, 64, 64)), "swin": (Swin, (1, 3, 64, 64)), "unet": (UNet, (1, 3, 64, 64)),
	"lstm": (lambda: Recurrent(nn.LSTM), (1, 20, 16)), "gru": (lambda: Recurrent(nn.GRU), (1, 20, 16)),
}


def randomise(net):
	"""Weights as PyTorch draws them; statistics that are not 0 and 1."""
	for m in net.modules():
		if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
			nn.init.uniform_(m.running_mean, -0.2, 0.2)
			nn.init.uniform_(m.running_var, 0.5, 1.5)
			nn.init.uniform_(m.weight, 0.5, 1.5)
			nn.init.uniform_(m.bias, -0.2, 0.2)
	return net.eval()


def runtime(path, x):
	options = onnxruntime.SessionOptions()
	options.intra_op_num_threads = 1
	session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
	return session.run(None, {session.get_inputs()[0].name: x})[0]


def difference(a, b):
	if a.shape != b.shape:
		return float("inf")
	return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))


def call(*words):
	done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
	return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def one(name, folder, coppice, dynamo, import_only):
	make, shape = NETWORKS[name]
	torch.manual_seed(1)
	net, x = randomise(make()), torch.randn(*shape)
	path, back = folder / f"{name}.onnx", folder / f"{name}.back.onnx"
	if dynamo:
		torch.onnx.export(net, (x,), str(path), dynamo=True, verbose=False)
	else:
		torch.onnx.export(net, (x,), str(path), dynamo=False, opset_version=17)
	np.save(folder / "x.npy", x.numpy())
	want = runtime(path, x.numpy())
	began = time.time()
	failed = call(coppice, "run", path, folder / "x.npy", "-o", folder / "y.npy")
	seconds = time.time() - began
	if failed:
		return None, None, seconds, failed
	there = difference(np.load(folder / "y.npy"), want)
	if import_only:
		return there, 0.0, seconds, ""
	failed = call(coppice, "export", path, "-o", back)
	if failed:
		return there, None, seconds, failed
	return there, difference(runtime(back, x.numpy()), want), seconds, ""


def main():
	p = argparse.ArgumentParser()
	p.add_argument("--coppice", default="build/coppice")
	p.add_argument("--only")
	p.add_argument("--keep")
	p.add_argument("--json")
	p.add_argument("--dynamo", action="store_true", help="export through torch.export")
	p.add_argument("--import-only", action="store_true")
	a = p.parse_args()
	bad, rows = 0, []
	with tempfile.TemporaryDirectory() as temporary:
		folder = pathlib.Path(a.keep or temporary)
		folder.mkdir(exist_ok=True)
		print(f"{'network':18} {'imported':>10} {'exported':>10} {'seconds':>8}")
		for name in NETWORKS:
			if a.only and a.only != name:
				continue
			there, back, seconds, failed = one(name, folder, a.coppice, a.dynamo, a.import_only)
			bad += failed != "" or there > LIMIT or back > LIMIT
			rows.append({"network": name, "imported": there, "exported": back, "seconds": seconds, "failed": failed})
			text = ["-" if v is None else f"{v:.1e}" for v in (there, back)]
			print(f"{name:18} {text[0]:>10} {text[1]:>10} {seconds:8.2f}  {failed}", flush=True)
	if a.json:
		pathlib.Path(a.json).write_text(json.dumps(rows, indent=1))
	print("all within 1e-4" if not bad else f"{bad} are not within 1e-4")
	return bad != 0


if __name__ == "__main__":
	sys.exit(main())
