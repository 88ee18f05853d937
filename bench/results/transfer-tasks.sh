#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two more tasks for a small network that knows digits, Fashion-MNIST and spoken digits, learnt in every way that there is: f32 and int8, layers, neurons, without gradients
# Five convolutions and a last layer, 17,800 parameters, trained on 10,000 samples of MNIST, batch norm folded, with a new last layer. Fashion-MNIST: LIMIT (1500) samples of ten classes to learn
# from. Spoken digits: as many recordings of fsdd, whose MFCC images of 49x10 are stretched to 28x28. One sample a step, EPOCHS (3). ONLY="head full" makes these rows alone. Needs python3 with numpy.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-3} limit=${LIMIT:-1500} trial="100 101"

# ---- the tasks and the network ----

export_data() { # NAME PART LIMIT
	"$bin" data export "$1" --split "$2" --limit "$3" -o "$folder/x.npy" --labels "$folder/y.npy" -q
}

fashion() {
	[ ! -s "$folder/fashion/y_test.npy" ] || return 0
	mkdir -p "$folder/fashion"
	for part in train test; do
		export_data fashion-mnist $part $([ $part = test ] && echo 2000 || echo "$limit") && mv "$folder/x.npy" "$folder/fashion/x_$part.npy" && mv "$folder/y.npy" "$folder/fashion/y_$part.npy" || return 1
	done
}

# Each coefficient with mean 0 and deviation 1 over what is trained on; 2.5 deviations are the ends of what a pixel is.
spoken() {
	[ ! -s "$folder/spoken/y_test.npy" ] || return 0
	mkdir -p "$folder/spoken"
	for part in train test; do export_data fsdd $part 3000 && mv "$folder/x.npy" "$folder/mfcc_$part.npy" && mv "$folder/y.npy" "$folder/digit_$part.npy" || return 1; done
	python3 - "$folder" "$limit" <<'P'
import sys
import numpy as np
at, limit = sys.argv[1], int(sys.argv[2])
x = {p: np.load(f"{at}/mfcc_{p}.npy")[..., 0] for p in ("train", "test")}
mean, dev = x["train"].mean((0, 1)), x["train"].std((0, 1))

def stretch(a, n, axis):
    p = np.linspace(0, a.shape[axis] - 1, n)
    lo = np.minimum(p.astype(int), a.shape[axis] - 2)
    part = (p - lo).reshape([-1 if i == axis else 1 for i in range(a.ndim)])
    return np.take(a, lo, axis) * (1 - part) + np.take(a, lo + 1, axis) * part

for p in x:
    y = np.load(f"{at}/digit_{p}.npy")
    order = np.random.default_rng(1).permutation(len(y))[: limit if p == "train" else None]
    z = np.clip((x[p][order] - mean) / dev / 5 + 0.5, 0, 1)
    np.save(f"{at}/spoken/x_{p}.npy", stretch(stretch(z, 28, 1), 28, 2)[..., None].astype(np.float32))
    np.save(f"{at}/spoken/y_{p}.npy", y[order].astype(np.int32))
P
}

# For a seed: the trunk, then with a new last layer f32, int8, and the int8 one as floats that round; with adapters: f32+, and f32++ of means over 4x4 cells.
networks() {
	[ ! -s "$folder/int8++-$1.cop" ] || return 0
	printf '%s\n' 'input 28 28 1' 'conv 8 3x3 stride 2 norm relu' 'conv 16 3x3 norm relu' 'conv 16 3x3 stride 2 norm relu' 'conv 32 3x3 norm relu' 'conv 32 3x3 stride 2 norm relu' mean 'fc 10' >"$folder/net.txt"
	"$bin" train "$folder/net.txt" --data mnist --limit 10000 --epochs 5 --batch 32 --lr 0.05 --valid no --seed "$1" --threads 1 -q -o "$folder/trunk-$1.cop" &&
		"$bin" apply "$folder/trunk-$1.cop" "to_infer fuse head:classes=10,seed=$1" -o "$folder/f32-$1.cop" -q &&
		"$bin" quantize "$folder/trunk-$1.cop" --data mnist --limit 200 -o "$folder/whole-$1.cop" -q &&
		"$bin" apply "$folder/whole-$1.cop" "head:classes=10,seed=$1" -o "$folder/int8-$1.cop" -q && "$bin" apply "$folder/int8-$1.cop" floats -o "$folder/rounding-$1.cop" -q || return 1
	for net in f32 int8; do
		"$bin" apply "$folder/$net-$1.cop" "adapters:rank=4,seed=$1" -o "$folder/$net+-$1.cop" -q && "$bin" apply "$folder/$net-$1.cop" "adapters:rank=4,cells=4,seed=$1" -o "$folder/$net++-$1.cop" -q || return 1
	done
}

# ---- trainings ----

head="head*"
bias="conv*.b|head*"
last="conv4.*|conv5.*|head*"
sparse="conv*.b|conv2.w|conv4.w|head*"
adapters="head*|adapter*"
full="*"

# NAME TASK SEED NET RULE LAYERS POLICIES RATE VALID: the accuracy, once
learn() {
	at=$folder/$1-$2-$3-$8
	[ -s "$at.said" ] || {
		"$bin" train "$folder/$4-$3.cop" --data "$folder/$2" --update "$5 layers=$6" ${7:+--policies "$7"} --epochs "$epochs" --lr "$8" --batch 1 --augment none --valid "$9" --seed "$3" --threads 1 \
			--json -o "$at.cop" >"$at.json" 2>"$at.log"
		rm -f "$at.cop"
		tail -1 "$at.json" | sed -n 's/.*"accuracy":\([0-9][0-9.]*\).*/\1/p' >"$at.said"
		[ -s "$at.said" ] || { grep -q "the loss became" "$at.log" && echo 0 >"$at.said"; } || { cat "$at.log" >&2; return 1; }
	}
	cat "$at.said"
}

# The rate that is best on a fifth of the training samples, on the mean of seeds of its own.
best_rate() { # NAME TASK NET RULE LAYERS POLICIES RATES
	for rate in $7; do
		for seed in $trial; do learn "$1-tried" "$2" "$seed" "$3" "$4" "$5" "$6" "$rate" 0.2 || return 1; done | awk -v rate="$rate" '{ s += $1 } END { print s / NR, rate }'
	done | sort -k1,1gr -s | awk 'NR == 1 { print $2 }'
}

task() { # NAME TASK NET RULE LAYERS POLICIES RATES
	rate=$(best_rate "$@") && [ -n "$rate" ] || return 1
	for seed in $SEEDS; do learn "$1" "$2" "$seed" "$3" "$4" "$5" "$6" "$rate" test || return 1; done | awk -v rate="$rate" '
		{ v = 100 * $1; s += v; if (NR == 1 || v < lo) lo = v; if (NR == 1 || v > hi) hi = v }
		END { printf "%.2f %% (%.2f to %.2f) | %s", s / NR, lo, hi, rate }'
}

# ---- what a step costs on a board ----

# NET RULE LAYERS: RAM and instructions of a step. Behind adapters.x only what is behind it is printed: the rest is kept.
cost() {
	at=$folder/cost-$1-$(echo "$2 $3" | tr -c 'a-z0-9.' _)
	[ -s "$at" ] || {
		case $1 in *+) pass="int8_io back:at=adapters.x" ;; *) pass=int8_io ;; esac
		"$bin" apply "$folder/$1-1.cop" "$pass" -o "$folder/board.cop" -q && rm -rf "$at.c" &&
			"$bin" emit "$folder/board.cop" --train --update "$2 layers=$3" --target cortex-m4 -o "$at.c" -q || return 1
		head -c 65536 /dev/zero >"$at.c/check/x.bin" && head -c 4 /dev/zero >"$at.c/check/label.bin"
		make -s -C "$at.c/check" >/dev/null 2>&1 && make -s -C "$at.c/check" run ARGS="train 1" >"$at.said" 2>&1 || return 1
		awk '/^ *data\+bss/ { ram += $2 } /^ *stack/ { ram += $2 } /^ *instructions/ { n = $2 } END { printf "%.1f KB | %.2f M", ram / 1024, n / 1e6 }' "$at.said" >"$at"
	}
	cat "$at"
}

row() { # LABEL NAME NET RULE LAYERS RATES [POLICIES [COST]]
	case " ${ONLY:-$2} " in *" $2 "*) ;; *) return ;; esac
	first=$(task "$2" fashion "$3" "$4" "$5" "${7:-}" "$6") && second=$(task "$2" spoken "$3" "$4" "$5" "${7:-}" "$6") || exit 1
	price=${8:-}
	[ -n "$price" ] || price=$(cost "$3" "$4" "$5") || exit 1
	echo "| $1 | $first | $second | $price |"
}

fashion && spoken || exit 1
for seed in $trial 1 $SEEDS; do networks "$seed" || exit 1; done
cat <<TEXT
Accuracy on 2,000 test pictures of Fashion-MNIST and on 300 test recordings, after $epochs epochs of $limit samples, one sample a step, the rate falling along a cosine: mean, and least to most over the seeds. Each row has the rate that was
best of several on a fifth of the training samples, with two other seeds. RAM is .data, .bss and stack of the C for a Cortex-M4, instructions those of one step of it. The new last layer is always trained.

| what is trained | Fashion-MNIST | rate | spoken digits | rate | RAM | instructions |
|---|---|---|---|---|---|---|
TEXT
sgd="0.01 0.03 0.1 0.2 0.4" plain="sgd momentum=0" zeroth="mezo draw=signs" no="not printed | not printed"
row "f32: the last layer alone" head f32 "$plain" "$head" "$sgd"
row "f32: and adapters of rank 4 (Skip2-LoRA), from kept results" adapters f32+ "$plain" "$adapters" "$sgd" prefix
row "f32: the same, of means over 4x4 cells" cells f32++ "$plain" "$adapters" "$sgd" prefix
row "f32: all biases" bias f32 "$plain" "$bias" "$sgd"
row "f32: the last three layers" last f32 "$plain" "$last" "$sgd"
row "f32: all biases, weights of two layers" sparse f32 "$plain" "$sparse" "$sgd"
row "f32: neurons by TraDy, 24 KB for gradients and inputs" tra-dy f32 "$plain" "$full" "$sgd" "select:by=tra-dy,budget=24K" "$no"
row "f32: neurons by chance, 24 KB" random f32 "$plain" "$full" "$sgd" "select:by=random,budget=24K" "$no"
row "f32: all layers" full f32 "$plain" "$full" "$sgd"
row "f32: all layers, Adam" adam f32 adam "$full" "0.0003 0.001 0.003 0.01"
row "int8: the last layer alone" q-head int8 qsgd "$head" "$sgd"
row "int8: and adapters of rank 4, from kept results" q-adapters int8+ qsgd "$adapters" "$sgd" prefix
row "int8: the same, of means over 4x4 cells" q-cells int8++ qsgd "$adapters" "$sgd" prefix
row "int8: all biases, weights of two layers" q-sparse int8 qsgd "$sparse" "$sgd"
row "int8: the same without scaling" q-unscaled int8 "qsgd scaling=no" "$sparse" "$sgd"
row "int8: all layers" q-full int8 qsgd "$full" "$sgd"
row "f32: all layers, zeroth order" mezo f32 "$zeroth" "$full" "0.000003 0.00003"
row "f32: the same, the last layer by its gradient, at 1,000 times the rate" mezo-head f32 "$zeroth last=head* rates=head*:1000" "$full" "0.000003 0.00003"
exit 0
