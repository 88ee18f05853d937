#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Integer networks of 8 to 2 bits: rounded after training, to the nearest, by GPTQ, or as is learned by layers or blocks (AdaRound, BRECQ, QDrop), and trained with rounding (the stage qat)
# Each network is trained with its default settings, then quantised; accuracy is that of the integer engine on the whole test set. `qat` trains for EPOCHS (4).
# All layers have the bits of the scheme, the ends, too. A trained FOLDER/NET-SEED.cop that is there is used. ONLY: networks. LIMIT: samples of the training set.
# WAYS="nearest gptq qat": only these are run. DONE=1: only what FOLDER has, as the page was made; the other cells are left empty, and means are over the seeds that are there.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-4} limit=${LIMIT:+--limit $LIMIT} nets=${ONLY:-resnet-8 resnet-20 mobilenet-v2-0.35@32 ds-cnn}

data_of() { case $1 in ds-cnn) echo fsdd ;; *) echo cifar10-jpeg ;; esac; }
options_of() { case $1 in ds-cnn) echo "--epochs 40 --augment normalise,shift=2" ;; esac; }
field() { sed 's/.*"'"$2"'":\([-0-9][-0-9.e]*\).*/\1/' "$1"; }

# SCHEME PER WAY: the stage
stage() {
	w=${1#w} w=${w%a*} a=${1#*a}
	common="range: mse, per: $2, may_cost: 100, must_gain: 0"
	case $3 in
	nearest | gptq) echo "quantize: {scheme: $1, round: $3, $common}" ;;
	adaround | block | qdrop) echo "quantize: {scheme: $1, round: $3, bias_correct: yes, $common}" ;;
	qat) echo "qat: {weights: $w, activations: $a, ends: no, epochs: $epochs, $common}" ;;
	esac
}

# NET SEED NAME STAGE: its accuracy
run() {
	at=$folder/$1-$3-$2 few=
	[ -s "$at.json" ] && return 0
	[ "${DONE:-}" ] && return 0
	case " ${WAYS:-$ways $learned qat-ends} " in *" ${3#*-*-} "*) ;; *) return 0 ;; esac
	case $3 in *-qat*) ;; *) few="--limit 512" ;; esac # nothing is trained
	printf 'name: qat\nstages:\n  - %s\n' "$4" >"$at.yaml"
	"$bin" compress "$folder/$1-$2.cop" --recipe "$at.yaml" --data "$(data_of "$1")" ${few:-$limit} --seed="$2" --threads 1 --resume --json -o "$at.cop" >/dev/null 2>"$at.log" || { cat "$at.log" >&2; return 1; }
	"$bin" eval "$at.cop" --data "$(data_of "$1")" --json >"$at.part" && mv "$at.part" "$at.json" && rm -f "$at.log" "$at.history.json"
}

# What the files of all seeds say, as "mean (least to most)", one number of one seed, or nothing
mean() {
	for file in "$@"; do [ -s "$file" ] && field "$file" accuracy; done |
		awk '{ v = 100 * $1; s += v; if (NR == 1 || v < lo) lo = v; if (NR == 1 || v > hi) hi = v } END { if (NR > 1) printf "%.2f (%.2f to %.2f)", s / NR, lo, hi; else if (NR) printf "%.2f", s }'
}

cell() { # NET NAME
	at=$folder/$1-$2
	set --
	for seed in $SEEDS; do set -- "$@" "$at-$seed.json"; done
	printf ' %s |' "$(mean "$@")"
}

schemes="w8a8 w4a8 w3a8 w4a4" pers="channel tensor" ways="nearest gptq adaround qat"
low="w4a8 w3a8 w4a4 w2a4" learned="nearest gptq adaround block qdrop"
for way in ${WAYS:-}; do
	case " $ways $learned qat-ends " in *" $way "*) ;; *) echo "qat.sh: WAYS: '$way' is none of $ways block qdrop qat-ends" >&2; exit 2 ;; esac
done
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
		for scheme in $low; do
			for way in $learned; do run "$net" "$seed" "$scheme-channel-$way" "$(stage "$scheme" channel "$way")" || exit 1; done
		done
		run "$net" "$seed" w2a2-channel-qat-ends "$(stage w2a2 channel qat | sed 's/ends: no/ends: yes/')" || exit 1
	done
done
cat <<TEXT
Accuracy in percent on the test set, mean and least to most over the seeds. "Nearest": scales by least squares, weights rounded to the nearest. "GPTQ": the default below 8 bits. "AdaRound":
rounding learned from 256 samples, biases corrected. All layers have the bits of the scheme, the first and the last, too; with values of 4 bits shortcuts keep 8. "Block": from what GPTQ leaves the rounding of all layers of a residual block is learned together, biases corrected; "QDrop": the same while half of the values stay unrounded by chance. "Trained": \`qat\`, $epochs epochs at the default rate of the stage, steps trained. \`cifar10-jpeg\` is a lossy copy of CIFAR-10.

TEXT
for net in $nets; do
	printf '### %s, %s\n\nFloat: %s\n\n| scheme | scales of weights | nearest | GPTQ | AdaRound | trained | bytes of the file |\n|---|---|---|---|---|---|---|\n' "$net" "$(data_of "$net")" "$(mean $(for seed in $SEEDS; do echo "$folder/$net-$seed.json"; done))"
	for scheme in $schemes; do
		for per in $pers; do
			printf '| %s | by %s |' "$scheme" "$per"
			for way in $ways; do cell "$net" "$scheme-$per-$way"; done
			at=$folder/$net-$scheme-$per-qat-${SEEDS%% *}.cop
			echo " $([ ! -s "$at" ] || wc -c <"$at") |"
		done
	done
	printf '\n| scheme, by channel | nearest | GPTQ | AdaRound | block | block, QDrop |\n|---|---|---|---|---|---|\n'
	for scheme in $low; do
		printf '| %s |' "$scheme"
		for way in $learned; do cell "$net" "$scheme-channel-$way"; done
		echo
	done
	[ -s "$folder/$net-w2a2-channel-qat-ends-${SEEDS%% *}.json" ] && printf '\nTrained with two bits for weights and values (w2a2), the first and the last layer with weights of 8:%s\n' "$(cell "$net" w2a2-channel-qat-ends | tr -d '|')"
	echo
done
