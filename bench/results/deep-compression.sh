#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Deep compression of LeNet-300-100 and LeNet-5 on MNIST by the two recipes that come with the program, and the same with weights chosen at random
# Each network is trained with its default settings, then goes through its recipe. The rows of random choice have the same recipe with `by: random`
# and no bound on what a stage may cost, since every cut would be undone.
# ONLY=lenet-300-100: runs of that network alone; PRINT=yes: the table of the runs that there are
set -u
bin=$1 folder=$2

# NET RECIPE OPTIONS SEED: two lines "error before, error after, bytes" in files of their own
run() {
	[ -z "${PRINT:-}" ] || return 0
	[ "${ONLY:-$1}" = "$1" ] || return 0
	net=$folder/$1-$4
	[ -s "$net.cop" ] || "$bin" train "$1" --data mnist --seed="$4" --threads 1 --resume --quiet -o "$net.cop" >&2 || return 1
	recipe=$folder/$2.yaml
	cp "recipes/$2.yaml" "$recipe"
	sed 's/by: magnitude/by: random/; s/may_cost: [0-9.]*/may_cost: 100/' "$recipe" >"$folder/$2-random.yaml"
	for how in "$2" "$2-random"; do
		at=$folder/$how-$4
		[ -s "$at.json" ] || {
			"$bin" compress "$net.cop" --recipe "$folder/$how.yaml" --data mnist --seed="$4" --threads 1 --resume --json $3 -o "$at.cop" >"$at.part" &&
				mv "$at.part" "$at.json"
		} || return 1
	done
}

# LABEL RECIPE WEIGHTS: a row of the table; WEIGHTS: one more that only multiplies
row() {
	for seed in $SEEDS; do [ ! -s "$folder/$2-$seed.json" ] || cat "$folder/$2-$seed.json"; done | awk -v label="$1" '
		function field(name,    s) { s = $0; sub(".*\"" name "\":", "", s); sub("[,}].*", "", s); return s + 0 }
		function note(k, v) { sum[k] += v; if (n == 1 || v < lo[k]) lo[k] = v; if (n == 1 || v > hi[k]) hi[k] = v }
		{ n++; note(1, 100 * (1 - field("accuracy_before"))); note(2, 100 * (1 - field("accuracy"))); note(3, field("file_bytes")); note(4, field("factor")); note(5, 100 * field("nonzero") / field("parameters")) }
		END {
			if (n) printf "| %s | %d | %.2f %% (%.2f to %.2f) | %.2f %% (%.2f to %.2f) | %.1f %% | %.0f (%.0f to %.0f) | %.1fx (%.1f to %.1f) |\n", label, n, sum[1] / n, lo[1], hi[1],
				sum[2] / n, lo[2], hi[2], sum[5] / n, sum[3] / n, lo[3], hi[3], sum[4] / n, lo[4], hi[4]
		}'
}

for seed in $SEEDS; do
	run lenet-300-100 deep-compression "" "$seed" || exit 1
	run lenet-5 deep-compression-conv "--augment shift=1" "$seed" || exit 1
done
cat <<'TEXT'
Errors are on the 10,000 test images: mean, and least to most over the seeds. The file is counted whole: header, biases and tables too. The factor is that over 4 bytes
for each parameter.

| network, recipe | seeds | error before | error after | weights kept | bytes of the file | factor |
|---|---|---|---|---|---|---|
TEXT
row "LeNet-300-100, \`deep-compression\`" deep-compression
row "LeNet-300-100, random choice" deep-compression-random
row "LeNet-5, \`deep-compression-conv\`" deep-compression-conv
row "LeNet-5, random choice" deep-compression-conv-random
