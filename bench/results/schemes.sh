#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The published sparse updates of MobileNetV2-0.35: extra memory by their authors' formula, what a plan reserves, and a step on a Cortex-M4
# seeds: 1
set -u
bin=$1 out=$2
bench=$(dirname "$0")/..
schemes=$(dirname "$bin")/bench_schemes device=$(dirname "$bin")/bench_device
tiny=${COPPICE_MODELS:-models}/mcunet/tiny-training
steps=${STEPS:-2}
fail() { echo "schemes.sh: $*" >&2; exit 1; }
[ -x "$schemes" ] && [ -x "$device" ] || fail "$schemes and $device are not there; build everything"
[ -s "$tiny/mbv2-w0.35.json" ] || fail "$tiny/mbv2-w0.35.json is not there; COPPICE_MODELS names the folder of models"
[ -s "$out/net.cop" ] || { python3 "$bench/tiny_training.py" "$tiny" 10 "$out/net.onnx" && "$bin" apply "$out/net.onnx" int8_io -o "$out/net.cop" -q 2>/dev/null; } || fail "the network could not be made"
[ -s "$out/plans" ] || { "$schemes" "$out/net.cop" >"$out/plans.part" && mv "$out/plans.part" "$out/plans"; } || fail "the schemes could not be planned"

number() { sed -n "s/^ *$1 \([0-9]*\)\$/\1/p" "$out/said" | tail -1; }

# Steps on an emulated board: leaves "RAM | instructions of one | same bits, after how many" in a file of its own. NUMBER WORDS
count() {
	[ ! -s "$out/row$1" ] || return 0
	at=$out/board$1
	rm -rf "$at"
	"$bin" emit "$out/net.cop" --train --update "$2" --patch 0.3 --target cortex-m4 -o "$at" -q || fail "row $1 could not be emitted"
	python3 - "$at/check" "$steps" <<'P'
import sys
import numpy as np
at, steps = sys.argv[1], int(sys.argv[2])
np.random.default_rng(1).integers(-128, 128, [steps, 128, 128, 3], dtype=np.int8).tofile(at + "/x.bin")
(np.arange(steps, dtype=np.int32) * 7 % 10).tofile(at + "/label.bin")
P
	make -s -C "$at/check" >/dev/null 2>"$out/said" && make -s -C "$at/check" run ARGS="train $steps" >"$out/said" 2>&1 || fail "$(cat "$out/said")"
	same=$("$device" "$out/net.cop" "${2#qsgd layers=}" "$at" "$steps") || fail "row $1 could not be compared"
	echo "$(($(number 'data+bss') + $(number stack))) | $(number instructions) | ${same#same_bits }, after $steps" >"$out/row$1.part"
	mv "$out/row$1.part" "$out/row$1"
	rm -rf "$at"
}

cat <<TEXT
Five sparse updates that were found for a MobileNetV2-0.35 of int8 and pictures of 128x128 (Lin et al. 2022, arXiv 2206.15472), each named by the kilobytes that it takes beside inference: \`bench/schemes.h\` lists them.
A scheme names last layers whose biases are trained, layers whose weights are, and the part of the input channels of each of those. The network is that of \`tiny-training\` with a new last layer of floats for ten
classes, batch 1.

- *Extra, by the formula*: one bit for each result, four bytes a bias, a byte for each weight that is trained and for each number of an input that waits for the gradient. Gradients and the last layer's weights are not in it.
- *Arena* and *trained*: the plan of inference and a step in one arena, the first layers in bands. Everything is in it: the picture, inference, gradients in floats.
- *RAM*: .data, .bss and the stack of the emitted program, counted in the emulator, as are the instructions of a step. Parameters are compared after so many steps as the last column says.

A scheme *with whole weights* trains all input channels of the layers that it names: that is what \`channels=\` saves. Of those, the first is emulated.

| what is trained | extra, by the formula | arena | trained, and state | RAM | instructions of a step | parameters as here, after steps |
|---|---:|---:|---:|---:|---:|---|
TEXT
i=0
tab=$(printf '\t')
while IFS="$tab" read -r what extra arena trained words; do
	i=$((i + 1)) rest="not emitted | | "
	case $what in
	nothing* | all* | 7*whole* | 9*whole* | 12*whole*) ;;
	*) count $i "$words" </dev/null && rest=$(cat "$out/row$i") ;;
	esac
	echo "| $what | $extra | $arena | $trained | $rest |"
done <"$out/plans"
