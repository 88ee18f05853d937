#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shared weights of LeNet-300-100 and LeNet-5 on MNIST: a palette for each layer or for groups of its channels, from k-means or while it trains (DKM)
# Each network is trained once for each seed (LeNet-5 for 4 epochs), then shares its weights, trains on for 2 epochs and is encoded. ONLY, LEVELS, HOWS: some networks, levels, rows; PRINT=yes: the table of the runs there are.
set -u
bin=$1 folder=$2
nets=${ONLY:-lenet-300-100 lenet-5} all_levels=${LEVELS:-3 4 5 6 8}
train="epochs: 2, update: adam, lr: 0.0003, may_cost: 100"

options() { # HOW: of the stage
	case $1 in
	layer) echo "$train" ;;
	ten) echo "groups: 10, $train" ;;
	hundred) echo "groups: 100, $train" ;;
	random) echo "init: random, $train" ;;
	once) echo "may_cost: 100" ;;
	once-ten) echo "groups: 10, may_cost: 100" ;;
	once-hundred) echo "groups: 100, may_cost: 100" ;;
	short) echo "epochs: 1, update: adam, lr: 0.0003, may_cost: 100" ;;
	dkm) echo "by: dkm, epochs: 1, update: adam, lr: 0.0003, may_cost: 100" ;;
	esac
}

# NET HOW LEVELS SEED
run() {
	at=$folder/$1-$2-$3-$4
	[ ! -s "$at.json" ] || return 0
	printf 'name: shared\nstages:\n  - share: {levels: %s, %s}\n  - encode: {must_gain: 0}\n' "$3" "$(options "$2")" >"$at.yaml"
	batch=
	case $2 in short | dkm) batch="--batch 256" ;; esac
	"$bin" compress "$folder/$1-$4.cop" $batch --recipe "$at.yaml" --data mnist --seed="$4" --threads 1 --json -o "$at.cop" >"$at.part" && mv "$at.part" "$at.json"
}

row() { # LABEL NET HOW LEVELS
	for seed in $SEEDS; do [ ! -s "$folder/$2-$3-$4-$seed.json" ] || cat "$folder/$2-$3-$4-$seed.json"; done | awk -v label="$1" -v levels="$4" '
		function field(name,    s) { s = $0; sub(".*\"" name "\":", "", s); sub("[,}].*", "", s); return s + 0 }
		function note(k, v) { sum[k] += v; if (n == 1 || v < lo[k]) lo[k] = v; if (n == 1 || v > hi[k]) hi[k] = v }
		{ n++; note(1, 100 * (1 - field("accuracy"))); note(2, field("file_bytes")); note(3, field("flash_bytes")) }
		END { if (n) printf "| %s | %d | %d | %.2f %% (%.2f to %.2f) | %.0f | %.0f |\n", label, levels, n, sum[1] / n, lo[1], hi[1], sum[2] / n, sum[3] / n }'
}

before() { # NET
	for seed in $SEEDS; do cat "$folder/$1"-*-"$seed.json" 2>/dev/null | head -1; done | awk '
		{ s = $0; sub(".*\"accuracy_before\":", "", s); e = 100 * (1 - s); n++; sum += e; if (n == 1 || e < lo) lo = e; if (n == 1 || e > hi) hi = e }
		END { if (n) printf "| as trained |  | %d | %.2f %% (%.2f to %.2f) |  |  |\n", n, sum / n, lo, hi }'
}

for net in $nets; do
	for seed in $SEEDS; do
		[ -z "${PRINT:-}" ] || continue
		epochs=
		[ "$net" = lenet-300-100 ] || epochs="--epochs 4"
		[ -s "$folder/$net-$seed.cop" ] || "$bin" train "$net" --data mnist --seed="$seed" --threads 1 $epochs --resume --quiet -o "$folder/$net-$seed.cop" >&2 || exit 1
		for levels in $all_levels; do
			for how in ${HOWS:-layer random ten hundred once once-ten once-hundred short dkm}; do run "$net" "$how" "$levels" "$seed" || exit 1; done
		done
	done
done

cat <<'TEXT'
Errors are on the 10,000 test images: mean, and least to most over the seeds. A level is a value that weights of a layer, or of a group of its channels, may have; one of them is 0 and is kept for pruned weights, so these networks use one
less. The file is counted whole, under the coder that is smallest. Flash: weights as emitted code has them, with codes of 1, 2, 4 or 8 bits.
TEXT
for net in $nets; do
	printf '\n### %s\n\n| weights | levels | seeds | error | bytes of the file | flash |\n|---|---:|---:|---:|---:|---:|\n' "$net"
	before "$net"
	for levels in $all_levels; do
		row "k-means of each layer, trained on" "$net" layer "$levels"
		row "the same from random centroids" "$net" random "$levels"
		row "10 groups, trained on" "$net" ten "$levels"
		row "100 groups, trained on" "$net" hundred "$levels"
		row "k-means of each layer, 1 epoch in batches of 256" "$net" short "$levels"
		row "DKM, 1 epoch in batches of 256" "$net" dkm "$levels"
		row "k-means of each layer, not trained" "$net" once "$levels"
		row "10 groups, not trained" "$net" once-ten "$levels"
		row "100 groups, not trained" "$net" once-hundred "$levels"
	done
done
