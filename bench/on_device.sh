#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Training of an int8 network on an emulated Cortex-M4: MobileNetV2-0.35 of `tiny-training` (Lin et al. 2022, arXiv 2206.15472) for pictures of 128x128, batch 1, with a new
# last layer for ten classes. What a step takes stage by stage, then counted in the emulator: RAM is .data + .bss + stack, with the weights that change and the
# picture. Parameters after STEPS steps (50) are compared with those of this machine. The last row is of the back part of the network alone: what the front gives for each
# sample is computed once and kept in flash. The last line is of the smallest way with the whole network, on a board of 128 KB.
# usage: bench/on_device.sh COPPICE [FOLDER]     needs python3 with numpy and onnx, arm-none-eabi-gcc, qemu-system-arm, and COPPICE_MODELS
set -u
bin=${1:?usage: bench/on_device.sh COPPICE [FOLDER]}
steps=${STEPS:-50}
tiny=${COPPICE_MODELS:-models}/mcunet/tiny-training
bench=$(dirname "$0")
device=$(dirname "$bin")/bench/bench_device
[ -x "$device" ] || device=$(dirname "$bin")/bench_device
fail() { echo "bench/on_device.sh: $*" >&2; exit 1; }
[ -s "$tiny/mbv2-w0.35.json" ] || fail "$tiny/mbv2-w0.35.json is not there; COPPICE_MODELS names the folder of models"
[ -x "$device" ] || fail "$device is not there; build everything"
if [ $# -gt 1 ]; then out=$2; mkdir -p "$out"; else out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT; fi

# Biases of the last k layers, weights of some: what of the published schemes of 49 and 100 KB is whole layers.
small="conv35.b|conv36.*|conv37.b|conv38.b|conv39.*|conv4*.b|conv50.b|head*"
large="conv26.b|conv27.*|conv28.b|conv29.b|conv3*.b|conv4*.b|conv50.b|conv30.w|conv33.w|conv36.w|conv39.w|conv48.w|head*"
few="conv42.b|conv43.b|conv44.b|conv45.b|conv46.b|conv47.b|conv48.b|conv49.b|conv50.b|head*"

[ -s "$out/net.cop" ] || { python3 "$bench/tiny_training.py" "$tiny" 10 "$out/net.onnx" && "$bin" apply "$out/net.onnx" int8_io -o "$out/net.cop" -q 2>/dev/null; } || fail "the network could not be made"
"$device" "$out/net.cop" "$large" || exit 1

number() { sed -n "s/^ *$1 \([0-9]*\)\$/\1/p" "$out/said" | tail -1; }

count() { # NAME LAYERS TARGET LABEL, and of the back part: the layer behind which it begins, SHAPE of what it takes. LAYERS may have options of the rule behind them
	at=$out/$1-$3 net=$out/net.cop shape=${6:-128,128,3}
	rm -rf "$at"
	[ $# -lt 5 ] || { net=$out/back.cop && "$bin" apply "$out/net.cop" "back:at=$5" -o "$net" -q || exit 1; }
	"$bin" emit "$net" --train --update "qsgd layers=$2" --patch 0.3 --target "$3" -o "$at" -q || exit 1
	python3 - "$at/check" "$steps" "$shape" <<'P'
import sys
import numpy as np
at, steps, shape = sys.argv[1], int(sys.argv[2]), [int(d) for d in sys.argv[3].split(",")]
rng = np.random.default_rng(1)
rng.integers(-128, 128, [steps] + shape, dtype=np.int8).tofile(at + "/x.bin")
(np.arange(steps, dtype=np.int32) * 7 % 10).tofile(at + "/label.bin")
P
	make -s -C "$at/check" >/dev/null 2>"$out/said" || { cat "$out/said" >&2; exit 1; }
	make -s -C "$at/check" run ARGS="train $steps" >"$out/said" 2>&1 || { cat "$out/said" >&2; exit 1; }
	same=$("$device" "$net" "$2" "$at" "$steps") || exit 1
	ram=$(($(number 'data+bss') + $(number stack))) flash=$(number flash) instructions=$(number instructions)
	echo "| $4 | $3 | $ram | $flash | $instructions | ${same#same_bits } |"
}

cat <<'TEXT'

| one step, batch 1 | board | bytes of RAM | bytes of flash | instructions | parameters as here |
|---|---|---:|---:|---:|---|
TEXT
count large "$large" cortex-m4 "biases of 25 layers, weights of 6, and the last layer"
count small "$small" cortex-m4 "biases of 16 layers, weights of 2, and the last layer"
count few "$few" cortex-m4 "biases of 9 layers, and the last layer, from what the layers before them have left in flash" conv41.w 4,4,56
count large-bytes "$large errors=int8" cortex-m4 "biases of 25 layers, weights of 6, and the last layer: int8 errors"
count small-bytes "$small errors=int8" cortex-m4 "biases of 16 layers, weights of 2, and the last layer: int8 errors"
count few-bytes "$few errors=int8" cortex-m4 "biases of 9 layers, and the last layer, from what is in flash: int8 errors" conv41.w 4,4,56
count small "$small" netduinoplus2 "biases of 16 layers, weights of 2, and the last layer, on a board of 128 KB"
echo
echo "ram_bytes $ram flash_bytes $flash instructions $instructions $same"
