#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Bits for each layer by itself: a knapsack against the same bits everywhere, against chance and against the layer with most harm first, at equal bytes
# Nothing is trained after rounding; accuracy and loss are those of the integer engine on the whole test set. The limits are the bytes of the files of the uniform
# schemes. LeNet-5 is trained for 3 epochs. A trained FOLDER/NET-SEED.cop that is there is used. ONLY: networks.
set -u
bin=$1 folder=$2
nets=${ONLY:-resnet-8 lenet-5}

data_of() { case $1 in lenet-5) echo mnist ;; *) echo cifar10-jpeg ;; esac; }
options_of() { case $1 in lenet-5) echo "--epochs 3" ;; esac; }
# FILE WHAT: a figure of the integer network
field() { sed 's/.*"after":{[^}]*"'"$2"'":\([-0-9][-0-9.e]*\).*/\1/' "$1"; }
whole() { sed 's/.*"'"$2"'":\([0-9]*\).*/\1/' "$1"; }

# NET SEED NAME OPTIONS
run() {
	at=$folder/$1-$3-$2
	[ -s "$at.json" ] && return 0
	# shellcheck disable=SC2086
	"$bin" quantize "$folder/$1-$2.cop" --data "$(data_of "$1")" $4 --seed="$2" --threads 1 --eval --json -o "$at.cop" >"$at.part" && mv "$at.part" "$at.json" && rm -f "$at.cop"
}

# NET NAME FIELD TIMES DIGITS: the mean over the seeds, and the least to the most
cell() {
	for seed in $SEEDS; do "$6" "$folder/$1-$2-$seed.json" "$3"; done |
		awk -v t="$4" -v d="$5" '{ v = t * $1; s += v; if (NR == 1 || v < lo) lo = v; if (NR == 1 || v > hi) hi = v }
			END { printf (" %." d "f (%." d "f to %." d "f) |"), s / NR, lo, hi }'
}
row() { # NET NAME WORDS
	printf '| %s |' "$3"
	cell "$1" "$2" accuracy 100 2 field
	cell "$1" "$2" loss 1 4 field
	cell "$1" "$2" file_bytes 1 0 whole
	cell "$1" "$2" flash_bytes 1 0 field
	echo
}

ways="answers curvature greedy random"
way() { case $1 in answers | curvature) echo "--harm $1" ;; *) echo "--choose $1" ;; esac; }
for net in $nets; do
	for seed in $SEEDS; do
		at=$folder/$net-$seed.cop
		# shellcheck disable=SC2046
		[ -s "$at" ] || "$bin" train "$net" --data "$(data_of "$net")" $(options_of "$net") --seed="$seed" --threads 1 --resume --quiet -o "$at" >&2 || exit 1
		for scheme in w8a8 w4a8 w3a8; do run "$net" "$seed" "$scheme" "--scheme $scheme" || exit 1; done
		for way in $ways; do
			for scheme in w4a8 w3a8; do
				run "$net" "$seed" "$scheme-$way" "--file $(whole "$folder/$net-$scheme-$seed.json" file_bytes) $(way "$way")" || exit 1
			done
		done
	done
done
cat <<TEXT
Mean over the seeds, and least to most. "Uniform": all layers have the bits of the scheme, rounded by GPTQ (w8a8: to the nearest). The others may have 8, 4, 3 or 2 bits a layer within the limit; below
8 bits all are rounded by GPTQ. "Knapsack": the least sum of harms, where the harm of a layer's bits is how far the answers move with that layer alone in integers, or the error of its weights by the
curvature of the loss. "Most harm first": in that order each layer gets the most bits that still fit. "Random": in a random order. \`cifar10-jpeg\` is a lossy copy of CIFAR-10.

TEXT
for net in $nets; do
	printf '### %s, %s\n\n| bits | accuracy, %% | loss | bytes of the file | bytes of flash |\n|---|---|---|---|---|\n' "$net" "$(data_of "$net")"
	row "$net" w8a8 "uniform w8a8"
	for limit in w4a8 w3a8; do
		row "$net" "$limit" "uniform $limit"
		row "$net" "$limit-answers" "file of $limit: knapsack, answers"
		row "$net" "$limit-curvature" "file of $limit: knapsack, curvature"
		row "$net" "$limit-greedy" "file of $limit: most harm first"
		row "$net" "$limit-random" "file of $limit: random"
	done
	echo
done
