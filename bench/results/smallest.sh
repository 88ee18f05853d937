#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The smallest file for LeNet-300-100 and LeNet-5 on MNIST: the recipes smallest-lenet-300-100 and smallest-lenet-5, deep compression, and weights chosen at random
# "random, same budget" keeps as many weights as `smallest` kept, chosen at random, and has the same stages otherwise; no bound is set on what they cost.
# ONLY="lenet-300-100" or "lenet-5": one network. ROWS="smallest deep random": which rows.
set -u
bin=$1 folder=$2
: "${SEEDS:=1 2 3}" "${ONLY:=lenet-300-100 lenet-5}" "${ROWS:=smallest deep random}"

# NET SEED: the dense network. LeNet-5 is trained with the default options, LeNet-300-100 as its recipe says.
dense() {
	options=
	[ "$1" = lenet-5 ] || options="--epochs 30 --batch 128 --update adamw,decay=0.02 --lr 0.0015 --schedule cosine"
	[ -s "$folder/$1-$2.cop" ] || "$bin" train "$1" --data mnist --seed="$2" $options --threads 1 --resume --quiet -o "$folder/$1-$2.cop" >&2
}

# NET RECIPE OUT SEED: OUT.json has what the program says
squeeze() {
	[ -s "$3.json" ] || { "$bin" compress "$folder/$1-$4.cop" --recipe "$2" --data mnist --seed="$4" --batch 128 --threads 1 --resume --json -o "$3.cop" >"$3.part" && mv "$3.part" "$3.json"; }
}

field() { sed -n "s/.*\"$2\":\([0-9.e+-]*\).*/\1/p" "$1"; }

# The recipe of `smallest` with random choice of as many weights in the place of DRR. JSON RECIPE
random_recipe() {
	keep=$(awk -v n="$(field "$1" nonzero)" -v all="$(field "$1" dense_bytes)" 'BEGIN { printf "%.5f", n / (all / 4) }')
	epochs=$(sed -n 's/.*drr:.*epochs: \([0-9]*\).*/\1/p' "$2")
	sed "s/- drr: .*/- prune: {by: random, keep: $keep, schedule: cubic, over: 0.6, epochs: $epochs, lr: 0.0015, update: adamw decay=0.02, may_cost: 100, must_gain: 1}/; s/may_cost: [0-9.]*/may_cost: 100/" "$2"
}

# NET DEEP SEED
all_of() {
	dense "$1" "$3" || return 1
	for row in $ROWS; do
		case $row in
		smallest) squeeze "$1" "recipes/smallest-$1.yaml" "$folder/$1-smallest-$3" "$3" || return 1 ;;
		deep) squeeze "$1" "recipes/$2.yaml" "$folder/$1-deep-$3" "$3" || return 1 ;;
		random)
			random_recipe "$folder/$1-smallest-$3.json" "recipes/smallest-$1.yaml" >"$folder/$1-random-$3.yaml"
			squeeze "$1" "$folder/$1-random-$3.yaml" "$folder/$1-random-$3" "$3" || return 1
			;;
		esac
	done
}

# LABEL NET ROW
line() {
	for seed in $SEEDS; do cat "$folder/$2-$3-$seed.json" 2>/dev/null; done | awk -v label="$1" '
		function field(name,    s) { s = substr($0, index($0, "\"" name "\":") + length(name) + 3); sub("[,}].*", "", s); return s + 0 } # the first, which is that of the whole
		function note(k, v) { sum[k] += v; if (n == 1 || v < lo[k]) lo[k] = v; if (n == 1 || v > hi[k]) hi[k] = v }
		{ n++; note(1, 100 * (1 - field("accuracy_before"))); note(2, 100 * (1 - field("accuracy"))); note(3, field("file_bytes")); note(4, field("factor")); note(5, field("nonzero")) }
		END { if (n) printf "| %s | %d | %.2f %% (%.2f to %.2f) | %.2f %% (%.2f to %.2f) | %.0f | %.0f (%.0f to %.0f) | %.0fx (%.0f to %.0f) |\n", label, n, sum[1] / n, lo[1], hi[1],
			sum[2] / n, lo[2], hi[2], sum[5] / n, sum[3] / n, lo[3], hi[3], sum[4] / n, lo[4], hi[4] }'
}

for net in $ONLY; do
	for seed in $SEEDS; do
		case $net in
		lenet-300-100) all_of "$net" deep-compression "$seed" || exit 1 ;;
		lenet-5) all_of "$net" deep-compression-conv "$seed" || exit 1 ;;
		esac
	done
done
cat <<'TEXT'
Errors are on the 10,000 test images: mean, and least to most over the seeds. The file is counted whole: text, biases, steps, checksum. The factor is that over 4 bytes
for each parameter of the dense network, which is its own plain baseline: its error stands in the column "dense".

| network, way | seeds | error, dense | error | not zero | bytes of the file | factor |
|---|---|---|---|---|---|---|
TEXT
for net in $ONLY; do
	line "$net, \`smallest-$net\`" "$net" smallest
	line "$net, deep compression" "$net" deep
	line "$net, random choice, same budget" "$net" random
done
exit 0
