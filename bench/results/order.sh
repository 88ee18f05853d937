#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The order of a chain of compression on LeNet-5: block pruning, channels, trained rounding under a teacher, sharing and coding, every order that makes sense
# Each network is trained on 4,000 images of MNIST for EPOCHS epochs (8), and is the teacher of all that follows; LIMIT: images (4000), of the test part too.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-8} limit=${LIMIT:-4000}
how="--data mnist --limit $limit --batch 64 --lr 0.0015 --schedule cosine"
cd "$folder" || exit 1

# Every stage stays, so that orders differ by nothing else. must_gain: 0, because training alone makes no file smaller.
recipe() { # NAME, what trains on, what ends it
	cat >"$1.yaml" <<YAML
name: $1
order: search
max_drop: 1
stages:
  - slim: {macs: 0.6, epochs: 2, may_cost: 100, must_gain: 0}
  - prune: {what: block, keep: 0.2, epochs: 5, lr: 0.002, update: adam, may_cost: 100, must_gain: 0}
  - $2epochs: 2, lr: 0.0005, update: adam, may_cost: 100, must_gain: 0}
  - share: {levels: 8, epochs: 1, lr: 0.0003, update: adam, may_cost: 100, must_gain: 0}
  - $3: {may_cost: 100, must_gain: 0}
YAML
}
recipe integers "qat: {weights: 4, activations: 8, per: tensor, integers: no, " quantize
recipe floats "train: {" encode

for seed in $SEEDS; do
	[ -s "net-$seed.cop" ] || "$bin" train lenet-5 $how --update "adamw decay=0.02" --epochs "$epochs" --seed "$seed" --resume --quiet -o "net-$seed.cop" >&2 || exit 1
	for r in integers floats; do
		[ -s "$r-$seed.history.json" ] && continue
		"$bin" compress "net-$seed.cop" --recipe "$r.yaml" $how --update adam --policies "distill:teacher=net-$seed.cop" --seed "$seed" --resume --quiet -o "$r-$seed.cop" >&2
		code=$?
		[ $code = 0 ] || [ $code = 5 ] || exit 1 # 5: no order stays within max_drop
	done
done

# RECIPE: a line for each order and seed: order, points lost, test accuracy, bytes, the order that was chosen
orders() {
	for seed in $SEEDS; do
		best=$(sed -n 's/.*,"order":"\([^"]*\)","orders".*/\1/p' "$1-$seed.history.json")
		tr '{' '\n' <"$1-$seed.history.json" | grep '^"order":' | sed "s/.*\"order\":\"\([^\"]*\)\".*\"test\":\([0-9-][0-9.e-]*\).*\"lost\":\([0-9-][0-9.e-]*\).*\"bytes\":\([0-9]*\).*/\1;\3;\2;\4;$best/"
	done
}
# RECIPE: a line for each order and stage: order, number, stage, validation accuracy, bytes after it
stages() {
	for seed in $SEEDS; do tr '{' '\n' <"$1-$seed.history.json" | awk '
		/^"order":"/ { split($0, p, "\""); order = p[4]; k = 0 }
		/^"stage":"/ && order != "" { split($0, p, "\""); match($0, /"accuracy":\[[^]]*/); split(substr($0, RSTART + 12, RLENGTH - 12), a, ","); match($0, /"bytes":\[[^]]*/); split(substr($0, RSTART + 9, RLENGTH - 9), b, ",")
			print order ";" ++k ";" p[4] ";" a[2] ";" b[2] }
		/\]}\],"stages"/ { order = "" }'; done
}

for r in integers floats; do
	echo "**$r**: test accuracy and bytes are means over the seeds, with the least and the most; the last column says how many of the seeds chose the order."
	echo
	echo '| order | points lost (validation) | test accuracy | file, bytes | chosen |'
	echo '|---|---:|---:|---:|---:|'
	orders $r | awk -F ';' '
		!($1 in n) { name[++names] = $1 }
		{ o = $1; n[o]++; lost[o] += $2; acc[o] += $3; by[o] += $4; won[o] += $5 == $1
			if (n[o] == 1 || $3 < alo[o]) alo[o] = $3; if (n[o] == 1 || $3 > ahi[o]) ahi[o] = $3; if (n[o] == 1 || $4 < blo[o]) blo[o] = $4; if (n[o] == 1 || $4 > bhi[o]) bhi[o] = $4 }
		END { for (i = 1; i <= names; i++) { o = name[i]; printf "| %s | %.2f | %.2f %% (%.2f to %.2f) | %.0f (%d to %d) | %d of %d |\n", o, lost[o] / n[o], 100 * acc[o] / n[o], 100 * alo[o], 100 * ahi[o], by[o] / n[o], blo[o], bhi[o], won[o], n[o] } }'
	echo
	echo "What stood after each stage, validation accuracy and bytes of the file, means over the seeds:"
	echo
	echo '| order | 1 | 2 | 3 | 4 | 5 |'
	echo '|---|---:|---:|---:|---:|---:|'
	stages $r | awk -F ';' '
		!($1 in seen) { name[++names] = $1; seen[$1] = 1 }
		{ at = $1 ";" $2; n[at]++; acc[at] += $4; by[at] += $5 }
		END { for (i = 1; i <= names; i++) { printf "| %s |", name[i]; for (k = 1; k <= 5; k++) { at = name[i] ";" k; printf " %.2f %%, %.0f |", 100 * acc[at] / n[at], by[at] / n[at] } print "" } }'
	echo
done
echo "The networks as they came:"
for seed in $SEEDS; do sed -n '1s/.*"before":{"accuracy":\([0-9.]*\).*/\1/p' "integers-$seed.history.json"; done | awk '{ s += $1; t = t sprintf(" %.2f", 100 * $1) } END { printf "test accuracy %.2f %% (%s), 1,725,027 bytes.\n", 100 * s / NR, substr(t, 2) }'
