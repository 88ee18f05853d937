#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Training with rounding where weights that go back and forth are fixed (Nagel et al. 2022): a small network with depthwise convolutions, 8 to 2 bits
# seeds: 1 2 3
# One float network for each seed, and from it two trainings with rounding, of seeds 1 and 2, for each row and column. EPOCHS: with rounding (8).
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-8} data="--data synth-digits --limit 2000 --batch 64"
rows="8-8-0.0005 4-4-0.001 3-8-0.001 2-8-0.001" columns="0 0.01 0.02"

cat >"$folder/net.txt" <<'TEXT'
input 28 28 1
conv 8 3x3 stride 2 norm relu
depthwise 3x3 norm relu
conv 16 1x1 norm relu
depthwise 3x3 stride 2 norm relu
conv 32 1x1 norm relu
depthwise 3x3 norm relu
conv 32 1x1 norm relu
mean
fc 10
TEXT

# SEED BITS-BITS-RATE FREEZE ORDER: the test accuracy into a file
round() {
	at=$folder/$2-$3-$1-$4
	[ ! -s "$at.accuracy" ] || return 0
	echo "$2" | { IFS=- read -r w a lr
		printf 'name: oscillate\nstages:\n  - qat: {weights: %s, activations: %s, lr: %s, freeze: %s, ends: no, epochs: %s, may_cost: 100, must_gain: 0}\n' "$w" "$a" "$lr" "$3" "$epochs"; } >"$at.yaml"
	"$bin" compress "$folder/float-$1.cop" --recipe "$at.yaml" $data --seed="$4" --threads 1 --quiet -o "$at.cop" >&2 &&
		"$bin" eval "$at.cop" --data synth-digits --limit 2000 --json | sed 's/.*"accuracy":\([0-9.]*\).*/\1/' >"$at.part" && mv "$at.part" "$at.accuracy"
}

for seed in $SEEDS; do
	[ -s "$folder/float-$seed.cop" ] || "$bin" train "$folder/net.txt" $data --epochs 25 --lr 0.05 --seed="$seed" --threads 1 --quiet -o "$folder/float-$seed.cop" >&2 || exit 1
	for row in $rows; do for column in $columns; do for order in 1 2; do round "$seed" "$row" "$column" "$order" || exit 1; done; done; done
done
cat <<TEXT
Accuracy on 2,000 test digits after $epochs epochs of \`qat\` with \`ends: no\`, mean and least to most over one float network for each seed and two trainings of it. \`freeze: 0\` fixes no weight.

| weights, activations, rate | \`freeze: 0\` | \`freeze: 0.01\` | \`freeze: 0.02\` |
|---|---|---|---|
TEXT
for row in $rows; do
	printf '| %s ' "$(echo "$row" | sed 's/-/ bits, /; s/-/ bits, /')"
	for column in $columns; do
		for seed in $SEEDS; do cat "$folder/$row-$column-$seed-1.accuracy" "$folder/$row-$column-$seed-2.accuracy"; done |
			awk '{ s += $1; if (NR == 1 || $1 < lo) lo = $1; if (NR == 1 || $1 > hi) hi = $1 } END { printf "| %.1f %% (%.1f to %.1f) ", 100 * s / NR, 100 * lo, 100 * hi }'
	done
	echo '|'
done
