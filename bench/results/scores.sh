#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every score of pruning on one network at equal budgets: LeNet-300-100 and LeNet-5 on MNIST, cut at once, without retraining and with a short one
# Single weights go by one threshold for all layers (by wanda, which compares inputs of one output, the same part of each row), channels by the same part of each layer. Scores that look at samples see 1024 of the training set. The
# short retraining is an epoch of the network's own settings at a tenth of its rate, before which the whole cut is made; movement, which adds up
# while the network trains, is cut along that epoch. ONLY="lenet-300-100" makes one network's tables.
set -u
bin=$1 folder=$2
parts="0.5 0.2 0.1 0.05 0.02" channel_parts="0.8 0.5 0.3"
weight_scores="magnitude lamp obc obd obd-1990 taylor fisher wanda random"
channel_scores="magnitude l2 obd obd-1990 taylor taylor-activation activation zeros entropy random"
picture=$(cd "$(dirname "$0")/../.." && pwd)/docs/results/scores.svg

rate() { case $1 in lenet-5) echo 0.002 ;; *) echo 0.005 ;; esac; }

# NET SEED NAME OPTIONS: the accuracy of the result, in a file NET-SEED-NAME.json
cell() {
	at=$folder/$1-$2-$3
	[ -s "$at.json" ] && return
	printf 'name: cell\nstages:\n  - prune: {%s, samples: 1024, may_cost: 100, must_gain: 0}\n' "$4" >"$at.yaml"
	"$bin" compress "$folder/$1-$2.cop" --recipe "$at.yaml" --data mnist --seed="$2" --threads 1 --quiet --json -o "$at.cop" >"$at.part" 2>"$at.err" || { cat "$at.err" >&2; return 1; }
	mv "$at.part" "$at.json"
	rm -f "$at.cop" "$at.history.json" "$at.yaml" "$at.err"
}

# NET WHAT SCOPE SCORES PARTS
run() {
	for seed in $SEEDS; do
		dense=$folder/$1-$seed.cop
		[ -s "$dense" ] || "$bin" train "$1" --data mnist --seed="$seed" --threads 1 --resume --quiet -o "$dense" >&2 || return 1
		for keep in $5; do
			for by in $4; do
				[ "$by" = wanda ] && scope=row || scope=$3
				cell "$1" "$seed" "$2-$by-$keep-no" "what: $2, by: $by, scope: $scope, keep: $keep, schedule: once, train: no" || return 1
				cell "$1" "$seed" "$2-$by-$keep-short" "what: $2, by: $by, scope: $scope, keep: $keep, schedule: once, epochs: 1, lr: $(rate "$1")" || return 1
			done
			cell "$1" "$seed" "$2-movement-$keep-short" "what: $2, by: movement, scope: $3, keep: $keep, schedule: cubic, every: 1, over: 0.7, epochs: 1, lr: $(rate "$1")" || return 1
		done
	done
}

# What "FIELD":number says in each JSON on stdin; lists of that name are passed over
numbers() { sed 's/.*"'"$1"'":\([-0-9][-0-9.e]*\).*/\1/'; }

# FILES...: "mean least most" of their accuracies in percent
mean() {
	cat "$@" 2>/dev/null | numbers accuracy | awk '{ v = 100 * $1; sum += v; if (!n || v < lo) lo = v; if (!n || v > hi) hi = v; n++ } END { if (n) printf "%.2f %.2f %.2f", sum / n, lo, hi }'
}

# NET WHAT SCORE PARTS no|short: a row
row() {
	printf '| `%s` |' "$3"
	for keep in $4; do
		files=
		for seed in $SEEDS; do files="$files $folder/$1-$seed-$2-$3-$keep-$5.json"; done
		mean $files | awk '{ if (!NF) printf " |"; else if ($2 == $3) printf " %s |", $1; else printf " %s (%s to %s) |", $1, $2, $3 }'
	done
	echo
}

dense() {
	for seed in $SEEDS; do cat "$folder/$1-$seed-weight-random-0.5-no.json"; done | sed 's/"accuracy":/"x":/; s/"accuracy_before":/"accuracy":/' >"$folder/dense.part"
	mean "$folder/dense.part" | awk '{ if ($2 == $3) printf "%s %%", $1; else printf "%s %% (%s to %s)", $1, $2, $3 }'
}

# NET WHAT SCORES PARTS
tables() {
	for how in no short; do
		[ "$how" = no ] && said="without retraining" || said="after one epoch"
		[ "$2" = weight ] && said="single weights, $said" || said="channels, the same part of each layer, $said"
		printf '\n**%s, %s.** Dense: %s.\n\n| score |' "$1" "$said" "$(dense "$1")"
		for keep in $4; do awk -v k="$keep" 'BEGIN { printf " %g %% kept |", 100 * k }'; done
		printf '\n|---|'
		for keep in $4; do printf -- '---|'; done
		echo
		for by in $3; do row "$1" "$2" "$by" "$4" $how; done
		[ "$how" = no ] || row "$1" "$2" movement "$4" $how
	done
}

# NET: the curves of single weights without retraining, as a picture
draw() {
	for by in $weight_scores; do
		for keep in $parts; do
			files=
			for seed in $SEEDS; do files="$files $folder/$1-$seed-weight-$by-$keep-no.json"; done
			echo "$by $keep $(mean $files)"
		done
	done | awk -v net="$1" '
		BEGIN {
			split("#1b6ca8 #d1495b #111111 #2e8b57 #8e6bbf #e09f3e #17a2b8 #999999 #6b4226", colour, " ")
			print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 360\" font-family=\"sans-serif\" font-size=\"12\">"
			print "<rect width=\"640\" height=\"360\" fill=\"white\"/><text x=\"60\" y=\"20\">" net " on MNIST, single weights, without retraining</text>"
			for (v = 0; v <= 100; v += 20) printf "<line x1=\"60\" x2=\"500\" y1=\"%d\" y2=\"%d\" stroke=\"#ddd\"/><text x=\"54\" y=\"%d\" text-anchor=\"end\">%d %%</text>\n", 320 - 2.8 * v, 320 - 2.8 * v, 324 - 2.8 * v, v
		}
		!($1 in line) { line[$1] = ""; name[++n] = $1 }
		NF > 2 { if (!($2 in x)) { x[$2] = 60 + 110 * m++; printf "<text x=\"%d\" y=\"340\" text-anchor=\"middle\">%g %% kept</text>\n", x[$2], 100 * $2 } line[$1] = line[$1] " " x[$2] "," 320 - 2.8 * $3 }
		END {
			for (i = 1; i <= n; i++) printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/><rect x=\"515\" y=\"%d\" width=\"14\" height=\"4\" fill=\"%s\"/><text x=\"535\" y=\"%d\">%s</text>\n", line[name[i]], colour[i], 36 + 20 * i, colour[i], 42 + 20 * i, name[i]
			print "</svg>"
		}' >"$picture.part" && mv "$picture.part" "$picture"
}

for net in ${ONLY:-lenet-300-100 lenet-5}; do
	run "$net" weight global "$weight_scores" "$parts" || exit 1
	run "$net" channel layer "$channel_scores" "$channel_parts" || exit 1
done
cat <<'TEXT'
Accuracies in percent on the 10,000 test images: mean, and least to most over the seeds. Of single weights, `l2` is `magnitude`. `wanda` keeps the same part of each row; `obc` corrects the weights that stay. `bn-scale` has no row: these networks have no batch norm.

![accuracy over the part that is kept](scores.svg)
TEXT
for net in ${ONLY:-lenet-300-100 lenet-5}; do
	tables "$net" weight "$weight_scores" "$parts"
	tables "$net" channel "$channel_scores" "$channel_parts"
done
draw lenet-300-100
