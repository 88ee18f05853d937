#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Layers that become linear under entropy-guided pruning and are then removed, against pruning by magnitude; a residual network of fully connected layers on MNIST
# In each of six rounds half of the weights of the hidden layers that are left goes, and the network trains on for EPOCHS (5). After rounds 2, 4 and 6
# (75, 93.8 and 98.4 % gone) `fold` removes what never switches on the training set. The network is a layer and three blocks of two layers around which
# the input goes, so that a layer without weights does not cut it in two. WIDTH: neurons of a layer (128). LIMIT: samples of the training set.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-5} limit=${LIMIT:+--limit $LIMIT} w=${WIDTH:-128}
hidden="a.w|fc1.w|fc2.w|fc3.w|fc4.w|fc5.w|fc6.w" data="--data mnist"

recipe() { # NAME STAGE
	printf 'name: %s\nstages:\n  - %s\n' "$1" "$2" >"$folder/$1.yaml"
}
for i in 1 2 3 4 5 6; do
	keep=$(awk "BEGIN { print 0.5 ^ $i }")
	recipe "magnitude-$i" "prune: {keep: $keep, layers: \"$hidden\", schedule: once, epochs: $epochs, may_cost: 100, must_gain: 0}"
	for reading in code slide random; do
		recipe "$reading-$i" "entropy: {cut: 0.5, reading: $reading, layers: \"$hidden\", epochs: $epochs, may_cost: 100, must_gain: 0}"
	done
done
recipe fold "fold: {may_cost: 100, must_gain: 0}"

compress() { # FROM RECIPE TO SEED
	[ -s "$3.json" ] || {
		"$bin" compress "$1" --recipe "$folder/$2.yaml" $data $limit $training --update "sgd momentum=0.9 decay=5e-4" --seed="$4" --threads 1 --resume --verbose --json -o "$3.cop" >"$3.part" 2>"$3.log" && mv "$3.part" "$3.json"
	} || { cat "$3.log" >&2; return 1; }
}

field() { sed 's/.*"'"$2"'":\([-0-9][-0-9.e]*\).*/\1/' "$1"; }
count() { "$bin" inspect "$1" | grep -c "^$2 "; }
milliseconds() {
	for i in 1 2 3; do
		"$bin" bench "$1" --batch 1 --threads 1 --seconds 0.3 --json | sed 's/.*"milliseconds_least":\([0-9.]*\).*/\1/'
	done | sort -g | head -1
}

cat >"$folder/net.txt" <<NET
input 28 28 1
a = fc $w norm relu
fc $w norm relu
fc $w norm
b = add a relu
fc $w norm relu
fc $w norm
c = add b relu
fc $w norm relu
fc $w norm
add c relu
fc 10
NET
training="--batch 64 --lr 0.05 --schedule cosine --augment shift=1"
for seed in $SEEDS; do
	net=$folder/dense-$seed
	[ -s "$net.cop" ] || "$bin" train "$folder/net.txt" $data $limit $training --update "sgd momentum=0.9 decay=5e-4" --epochs $((2 * epochs)) --seed="$seed" --threads 1 --resume --quiet -o "$net.cop" >&2 || exit 1
	[ -s "$net.json" ] || "$bin" eval "$net.cop" $data $limit --json >"$net.json"
	for how in magnitude code slide random; do
		from=$net
		for i in 1 2 3 4 5 6; do
			compress "$from.cop" "$how-$i" "$folder/$how-$i-$seed" "$seed" || exit 1
			from=$folder/$how-$i-$seed
			case $i in 2 | 4 | 6) compress "$from.cop" fold "$from-folded" "$seed" || exit 1 ;; esac
		done
	done
done

row() { # LABEL HOW ROUND
	for seed in $SEEDS; do
		at=$folder/$2-$3-$seed dense=$folder/dense-$seed
		flips=$(sed -n 's/.*in another state \([0-9]*\) times of \([0-9]*\).*/\1 \2/p' "$at-folded.log" | tail -1)
		echo "$(field "$at.json" accuracy) $(field "$at-folded.json" accuracy) $((7 - $(count "$at-folded.cop" clip))) ${flips:-0 1} $(milliseconds "$at-folded.cop") $(milliseconds "$dense.cop") $((8 - $(count "$at-folded.cop" fc)))"
	done | awk -v label="$1" -v part="$(awk "BEGIN { printf \"%.1f\", 100 - 100 * 0.5 ^ $3 }")" '
		function note(k, v) { sum[k] += v; if (n == 1 || v < lo[k]) lo[k] = v; if (n == 1 || v > hi[k]) hi[k] = v }
		{ n++; for (k = 1; k <= 8; k++) note(k, $k) }
		END {
			printf "| %s %% | %s | %.2f %% (%.2f to %.2f) | %s | %s | %s | %.2f %% | %.2fx |\n", part, label, 100 * sum[1] / n, 100 * lo[1], 100 * hi[1], lo[3] == hi[3] ? lo[3] : lo[3] " to " hi[3],
				lo[8] == hi[8] ? lo[8] : lo[8] " to " hi[8], sum[3] ? sprintf("%d of %.0f million", sum[4], sum[5] / 1e6) : "", 100 * sum[2] / n, sum[7] / sum[6]
		}'
}
cat <<TEXT
Accuracy is on the 10,000 test images, mean and least to most over the seeds; the whole network has $(for seed in $SEEDS; do field "$folder/dense-$seed.json" accuracy; done | awk '{ s += $1 } END { printf "%.2f", 100 * s / NR }') %. Of its 7 rectifiers and 8 layers, the last one included, so many are gone.
Flips: how often on the test set a neuron of a removed rectifier was in the other state than on the training set. Faster: one sample on one thread, folded against whole, the least of three times; in both rows neurons that no weight reaches are left out.
Published (ResNet-18, CIFAR-10): 1, 3 and 3 of 17 layers at 75, 93.8 and 98.4 %, within 0.4 points of magnitude, which removes none.

| weights gone | by | accuracy | rectifiers removed | layers removed | flips | accuracy folded | faster |
|---|---|---|---|---|---|---|---|
TEXT
for i in 2 4 6; do
	row "magnitude, global" magnitude "$i"
	row "entropy, as in the published code" code "$i"
	row "entropy, as on the slide" slide "$i"
	row "entropies at random" random "$i"
done
