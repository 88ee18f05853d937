#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Integer networks of 8, 4 and 3 bits: rounded after training, to the nearest, by GPTQ or as AdaRound learns it, and trained with rounding (the stage qat)
# Each network is trained with its default settings, then quantised; accuracy is that of the integer engine on the whole test set. `qat` trains for EPOCHS (4).
# All layers have the bits of the scheme, the ends, too. A trained FOLDER/NET-SEED.cop that is there is used. ONLY: networks. LIMIT: samples of the training set.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-4} limit=${LIMIT:+--limit $LIMIT} nets=${ONLY:-resnet-8 resnet-20 mobilenet-v2-0.35@32 ds-cnn}

data_of() { case $1 in ds-cnn) echo fsdd ;; *) echo cifar10-jpeg ;; esac; }
options_of() { case $1 in ds-cnn) echo "--epochs 40 --augment normalise,shift=2" ;; esac; }
field() { sed 's/.*"'"$2"'":\([-0-9.e]*\).*/\1/' "$1"; }

# SCHEME PER WAY: the stage
stage() {
	w=${1#w} w=${w%a*} a=${1#*a}
	common="range: mse, per: $2, may_cost: 100, must_gain: 0"
	case $3 in
	nearest | gptq) echo "quantize: {scheme: $1, round: $3, $common}" ;;
	adaround) echo "quantize: {scheme: $1, round: adaround, bias_correct: yes, $common}" ;;
	qat) echo "qat: {weights: $w, activations: $a, ends: no, epochs: $epochs, $common}" ;;
	esac
}

# NET SEED NAME STAGE: its accuracy
run() {
	at=$folder/$1-$3-$2 few=
	[ -s "$at.json" ] && return 0
	case $3 in *-qat) ;; *) few="--limit 512" ;; esac # nothing is trained
	printf 'name: qat\nstages:\n  - %s\n' "$4" >"$at.yaml"
	"$bin" compress "$folder/$1-$2.cop" --recipe "$at.yaml" --data "$(data_of "$1")" ${few:-$limit} --seed="$2" --threads 1 --resume --json -o "$at.cop" >/dev/null 2>"$at.log" || { cat "$at.log" >&2; return 1; }
	"$bin" eval "$at.cop" --data "$(data_of "$1")" --json >"$at.part" && mv "$at.part" "$at.json" && rm -f "$at.log" "$at.history.json"
}

cell() { # NET NAME
	for seed in $SEEDS; do echo "$(field "$folder/$1-$2-$seed.json" accuracy)"; done |
		awk '{ v = 100 * $1; s += v; if (NR == 1 || v < lo) lo = v; if (NR == 1 || v > hi) hi = v } END { printf " %.2f (%.2f to %.2f) |", s / NR, lo, hi }'
}

schemes="w8a8 w4a8 w3a8 w4a4" pers="channel tensor" ways="nearest gptq adaround qat"
for net in $nets; do
	for seed in $SEEDS; do
		at=$folder/$net-$seed
		[ -s "$at.cop" ] || "$bin" train "$net" --data "$(data_of "$net")" $(options_of "$net") $limit --seed="$seed" --threads 1 --resume --quiet -o "$at.cop" >&2 || exit 1
		[ -s "$at.json" ] || { "$bin" eval "$at.cop" --data "$(data_of "$net")" --json >"$at.part" && mv "$at.part" "$at.json"; } || exit 1
		for scheme in $schemes; do
			for per in $pers; do
				for way in $ways; do run "$net" "$seed" "$scheme-$per-$way" "$(stage "$scheme" "$per" "$way")" || exit 1; done
			done
		done
	done
done
cat <<TEXT
Accuracy in percent on the test set, mean and least to most over the seeds. "Nearest": scales by least squares, weights rounded to the nearest. "GPTQ": the default below 8 bits. "AdaRound":
rounding learned from 256 samples, biases corrected. All layers have the bits of the scheme, the first and the last, too. "Trained": \`qat\`, $epochs epochs at the default rate of the stage, steps trained. \`cifar10-jpeg\` is a lossy copy of CIFAR-10.

TEXT
for net in $nets; do
	printf '### %s, %s\n\nFloat:%s\n\n| scheme | scales of weights | nearest | GPTQ | AdaRound | trained | bytes of the file |\n|---|---|---|---|---|---|---|\n' "$net" "$(data_of "$net")" "$(for seed in $SEEDS; do field "$folder/$net-$seed.json" accuracy; done |
		awk '{ v = 100 * $1; s += v; if (NR == 1 || v < lo) lo = v; if (NR == 1 || v > hi) hi = v } END { printf " %.2f (%.2f to %.2f)", s / NR, lo, hi }')"
	for scheme in $schemes; do
		for per in $pers; do
			printf '| %s | by %s |' "$scheme" "$per"
			for way in $ways; do cell "$net" "$scheme-$per-$way"; done
			echo " $(wc -c <"$folder/$net-$scheme-$per-qat-${SEEDS%% *}.cop") |"
		done
	done
	echo
done
