#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Filters and channels of LeNet-5 on MNIST trained to zero by group lasso, against the same widths chosen by size and at random, and trained from the start
# Each network is trained with its default settings. Then group lasso closes channels (EPOCHS, 9), slim takes them out, and the rest trains on for as
# long. The rows of choice have widths of the same multiply-accumulates, and as many epochs in all after the first training. The last one is a
# network of the widths that lasso has found, trained from the start for as long as all of it. LIMIT: samples of the training set.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-9} limit=${LIMIT:+--limit $LIMIT}
after=$epochs

recipe() { # NAME: the stages on standard input
	{ printf 'name: %s\nstages:\n' "$1"; cat; } >"$folder/$1.yaml"
}
recipe lasso <<YAML
  - train: {policies: "lasso:filters=0.018,layers=conv1*; lasso:coupled=0.0012,layers=conv2*|fc1*", epochs: $epochs, may_cost: 100, must_gain: 0}
  - slim: {may_cost: 100, must_gain: 0}
  - train: {epochs: $after, lr: 0.02, may_cost: 100, must_gain: 0}
YAML

compress() { # NAME SEED NET RECIPE
	[ -s "$folder/$1-$2.json" ] || {
		"$bin" compress "$3" --recipe "$4" --data mnist $limit --seed="$2" --threads 1 --resume --json -o "$folder/$1-$2.cop" >"$folder/$1-$2.part" &&
			mv "$folder/$1-$2.part" "$folder/$1-$2.json"
	}
}

dims() { "$bin" inspect "$1" | awk '/^(conv|fc) /{ n = split($3, d, "x"); w = w " " d[n] } /^operations/ { gsub(",", "", $4); m = $4 } END { print w, m }'; } # widths, MACs

milliseconds() { # H W C K OUT: the least of a run of one layer alone
	printf 'input %d %d %d\nconv %d %dx%d pad valid\n' "$1" "$2" "$3" "$5" "$4" "$4" >"$folder/layer.txt"
	"$bin" bench "$folder/layer.txt" --threads 1 --seconds 0.2 --json | sed 's/.*"milliseconds_least":\([0-9-][0-9.e-]*\).*/\1/'
}

# How many times faster than H W C K OUT is the same with C2 channels and OUT2 filters? The two take turns.
faster() { # H W C K OUT C2 OUT2
	for i in 1 2 3 4 5 6 7; do echo "$(milliseconds "$1" "$2" "$3" "$4" "$5") $(milliseconds "$1" "$2" "$6" "$4" "$7")"; done |
		awk 'NR == 1 || $1 < a { a = $1 } NR == 1 || $2 < b { b = $2 } END { print a / b }'
}

field() { sed 's/.*"'"$2"'":\([-0-9][-0-9.e]*\).*/\1/' "$1"; }

for seed in $SEEDS; do
	net=$folder/dense-$seed.cop
	[ -s "$net" ] || "$bin" train lenet-5 --data mnist $limit --seed="$seed" --threads 1 --resume --quiet -o "$net" >&2 || exit 1
	compress lasso "$seed" "$net" "$folder/lasso.yaml" || exit 1
	set -- $(dims "$folder/lasso-$seed.cop")
	for by in l2 random; do
		recipe lasso-$by <<YAML
  - slim: {macs: $(awk "BEGIN { m = $5 / 2293000 + 0.0005; print m < 0.999 ? m : 0.999 }"), by: $by, round: 1, least: 0.02, epochs: $((epochs + after)), lr: 0.02, may_cost: 100, must_gain: 0}
YAML
		compress lasso-$by "$seed" "$net" "$folder/lasso-$by.yaml" || exit 1
	done
	small=$folder/lasso-fresh-$seed
	printf 'input 28 28 1\nconv %d 5x5 pad valid\nmaxpool 2\nconv %d 5x5 pad valid\nmaxpool 2\nfc %d relu\nfc 10\n' "$1" "$2" "$3" >"$small.txt"
	[ -s "$small.json" ] || {
		"$bin" train "$small.txt" --data mnist $limit --seed="$seed" --threads 1 --resume --json --epochs $((12 + epochs + after)) --batch 64 --lr 0.02 --update "sgd momentum=0.9 decay=5e-4" --schedule cosine \
			--augment shift=2 -o "$small.cop" >/dev/null && "$bin" eval "$small.cop" --data mnist --json >"$small.part" && mv "$small.part" "$small.json"
	} || exit 1
done

row() { # LABEL NAME TIMED
	for seed in $SEEDS; do
		set -- "$1" "$2" "$3" $(dims "$folder/$2-$seed.cop")
		t1=1 t2=1
		[ -z "$3" ] || { t1=$(faster 28 28 1 5 20 1 "$4") t2=$(faster 12 12 20 5 50 "$4" "$5"); }
		echo "$(field "$folder/$2-$seed.json" accuracy) $4 $5 $6 $7 $t1 $t2"
	done | awk -v label="$1" -v timed="$3" '
		function note(k, v) { sum[k] += v; if (n == 1 || v < lo[k]) lo[k] = v; if (n == 1 || v > hi[k]) hi[k] = v }
		function both(k, form) { return lo[k] == hi[k] ? sprintf(form, lo[k]) : sprintf(form " to " form, lo[k], hi[k]) }
		{ n++; note(1, 100 * (1 - $1)); note(2, $2); note(3, $3); note(4, 100 * $2 * 25 * 576 / 288000); note(5, 100 * $3 * $2 * 25 * 64 / 1600000); note(6, $6); note(7, $7); note(8, $4) }
		END {
			printf "| %s | %.2f %% (%.2f to %.2f) | %s, %s, %s | %s %% | %s %% | %s | %s |\n", label, sum[1] / n, lo[1], hi[1], both(2, "%d"), both(3, "%d"), both(8, "%d"),
				both(4, "%.0f"), both(5, "%.1f"), timed == "" ? "" : sprintf("%.2fx", sum[6] / n), timed == "" ? "" : sprintf("%.2fx", sum[7] / n)
		}'
}

for seed in $SEEDS; do
	[ -s "$folder/dense-$seed.json" ] || "$bin" eval "$folder/dense-$seed.cop" --data mnist --json >"$folder/dense-$seed.json"
done
cat <<TEXT
Errors are on the 10,000 test images: mean, and least to most over the seeds. MACs are those of a convolution, of the whole one. Speed is that of the convolution alone, on one thread, by the least of seven times each, in turns.
Lasso: $epochs epochs, then $after on what is left without it. Published for this network (Wen et al. 2016, LeNet-2): 0.8 % error, 5 and 19 filters, 25 % and 7.6 % of the MACs, 1.64 and 5.23 times as fast.

| network | error | widths of conv1, conv2, fc1 | MACs of conv1 | of conv2 | conv1 faster | conv2 faster |
|---|---|---|---|---|---|---|
TEXT
row "whole" dense timed
row "group lasso" lasso timed
row "as many MACs, by size (\`l2\`)" lasso-l2 timed
row "as many MACs, at random" lasso-random timed
row "widths of lasso, trained from the start" lasso-fresh ""
