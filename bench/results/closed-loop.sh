#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compression without a recipe, `compress --target cortex-m4 --max-drop 0.5`, against int8 alone: flash and instructions of MLPerf Tiny's networks
# resnet-8 is trained here on cifar10-jpeg, a lossy copy of CIFAR-10, with its default settings. The keyword network is MLPerf Tiny's float file; of its 1,000 clips 400 train,
# 200 decide, and 400 test. There is no data here for the other two networks of MLPerf Tiny. Instructions are counted by `check` in the emulator, not foretold.
# EPOCHS, LR, LIMIT: of each round, its rate, samples of resnet-8; TEACHER: a trained network that teaches resnet-8 in the place of itself; AIM: further bounds of it, such as "--instructions 8.6M"; WITH: further options of its training, such as --bf16; RANDOM_TOO=yes: and with its channels chosen at random; NETS: a folder with resnet-8-SEED.cop that are trained already; PRINT=yes: the table of the runs that there are
set -u
bin=$1 folder=$2
kws=${COPPICE_MODELS:-models}/mlperf-tiny/keyword_spotting/kws_ref_model_float32.tflite

clips() { [ -s "$folder/kws/y_test.npy" ] || python3 "$(dirname "$0")/../clips.py" "$folder/kws"; }

field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$2"; }

# NET FILE: counts on the emulated board; one line: accuracy flash RAM instructions
count() {
	"$bin" emit "$1" --target cortex-m4 -q -o "$2.c" 2>/dev/null && "$bin" check "$2.c" --json >"$2.check" || return 1
	rm -rf "$2.c"
	"$bin" inspect "$1" --target cortex-m4 --json >"$2.inspect" && "$bin" eval "$1" --data "$3" --json >"$2.eval" || return 1
	echo "$(field accuracy "$2.eval" | head -c 9) $(field flash_bytes "$2.inspect") $(field ram_bytes "$2.check") $(field instructions "$2.check")" >"$2.part" && mv "$2.part" "$2"
}

# NAME NET DATA SEED OPTIONS
run() {
	at=$folder/$1-$4
	[ -z "${PRINT:-}" ] || return 0
	[ -s "$at.int8" ] || { "$bin" quantize "$2" --data "$3" -q -o "$at.int8.cop" && count "$at.int8.cop" "$at.int8" "$3"; } || return 1
	[ -s "$at.loop" ] && return 0
	[ -s "$at.loop.cop" ] || "$bin" compress "$2" --data "$3" --target cortex-m4 --max-drop 0.5 --seed "$4" --threads 1 --resume $5 -o "$at.loop.cop" >"$at.steps" || return 1
	"$bin" eval "$2" --data "$3" --json >"$at.float"
	count "$at.loop.cop" "$at.loop" "$3"
}

# LABEL NAME
row() {
	for seed in $SEEDS; do [ ! -s "$folder/$2-$seed.loop" ] || echo "$(field accuracy "$folder/$2-$seed.float" | head -c 9) $(cat "$folder/$2-$seed.int8") $(cat "$folder/$2-$seed.loop")"; done | awk -v label="$1" '
		function note(k, v) { sum[k] += v; if (n == 1 || v < lo[k]) lo[k] = v; if (n == 1 || v > hi[k]) hi[k] = v }
		{ n++; note(1, 100 * $1); note(2, 100 * $2); note(3, 100 * $6); note(4, $3); note(5, $7); note(6, $7 / $3); note(7, $5); note(8, $9); note(9, $9 / $5); note(10, $4); note(11, $8) }
		END {
			if (!n) { printf "| %s | 0 | not measured yet | | | | | |\n", label; exit }
			printf "| %s | %d | %.2f %% | %.2f %% | %.2f %% (%.2f to %.2f) | %.0f to %.0f: %.2f (%.2f to %.2f) | %.0f to %.0f | %.0f to %.0f: %.2f (%.2f to %.2f) |\n", label, n, sum[1] / n, sum[2] / n,
				sum[3] / n, lo[3], hi[3], sum[4] / n, sum[5] / n, sum[6] / n, lo[6], hi[6], sum[10] / n, sum[11] / n, sum[7] / n, sum[8] / n, sum[9] / n, lo[9], hi[9]
		}'
}

clips="--valid 0.33 --epochs 30 --lr 0.0005 --batch 32 --augment shift=2,mix=0.2"
for seed in $SEEDS; do
	if [ "${ONLY:-kws}" = kws ] && [ -s "$kws" ]; then
		clips || exit 1
		run kws "$kws" "$folder/kws" "$seed" "$clips" || exit 1
		run kws-random "$kws" "$folder/kws" "$seed" "$clips --by random" || exit 1
	fi
	if [ "${ONLY:-resnet-8}" = resnet-8 ]; then
		net=${NETS:-$folder}/resnet-8-$seed.cop
		[ -n "${PRINT:-}" ] || [ -s "$net" ] || "$bin" train resnet-8 --data cifar10-jpeg ${WITH:-} --seed "$seed" --threads 1 --resume -q -o "$net" || exit 1
		options="${EPOCHS:+--epochs $EPOCHS} ${LR:+--lr $LR} ${LIMIT:+--limit $LIMIT} ${AIM:-} ${WITH:-} ${TEACHER:+--policies distill:teacher=$TEACHER,part=0.7,standardise=no,temperature=3}"
		run "resnet-8${TEACHER:+-taught}" "$net" cifar10-jpeg "$seed" "$options" || exit 1
		[ -z "${RANDOM_TOO:-}" ] || run "resnet-8${TEACHER:+-taught}-random" "$net" cifar10-jpeg "$seed" "$options --by random" || exit 1
	fi
done
cat <<'TEXT'
Accuracy is that of the test part. Each cell of a resource goes from int8 alone to the result of the loop, with the ratio of the two: mean, and least to most over the seeds.

| network | seeds | float | int8 alone | loop, int8 | flash of weights | RAM with stack | instructions |
|---|---|---|---|---|---|---|---|
TEXT
row "keywords, MLPerf Tiny's file" kws
row "the same, channels chosen at random" kws-random
row "resnet-8, trained here on cifar10-jpeg, a lossy copy" resnet-8
row "the same, a larger network its teacher" resnet-8-taught
for which in "alone" "under that teacher"; do
	name=resnet-8$([ "$which" = alone ] || echo -taught)-random
	[ ! -s "$folder/$name-${SEEDS%% *}.loop" ] || row "resnet-8 $which, channels chosen at random" "$name"
done
echo "| visual wake words; anomaly detection | 0 | their data are not here; [uses](uses.md) has both jobs on other data | | | | | |"
