#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Coupled channels removed from residual networks at 2.1 times fewer multiply-accumulates: accuracy, speed in f32 and int8, and what a Cortex-M4 needs
# Each network is trained on cifar10-jpeg, a lossy copy of CIFAR-10, with its default settings. Then `slim` removes whole channels by size or at random
# and trains on for EPOCHS (20); before it, `grow` may make those small that matter little, for half as long. ONLY: networks (resnet-20).
# A trained FOLDER/NET-SEED.cop that is there is used. LIMIT: samples of the training set. LR: the rate after the removal (0.02); WITH: further options of training, such
# as "--augment flip,crop=4"; ROWS: some of size, taught, random-taught, deep, unrounded, board, grow, random. `deep` leaves out
# whole blocks for a third of the instructions, which leaves 0.65 of the multiply-accumulates, trains DEEP (12) epochs, and then removes channels down to 0.73 of that.
# seeds: 1
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-20} limit=${LIMIT:+--limit $LIMIT} nets=${ONLY:-resnet-20}
lr=${LR:-0.02} more=${WITH:-} rows=${ROWS:-size taught random-taught deep unrounded board grow random} deep=${DEEP:-12}
before=$(((epochs + 1) / 2)) data="--data cifar10-jpeg"

recipe() { # NAME: the stages on standard input
	{ printf 'name: %s\nstages:\n' "$1"; cat; } >"$folder/$1.yaml"
}
slim="macs: 0.476, epochs: $epochs, lr: $lr, may_cost: 100, must_gain: 0"
recipe size <<YAML
  - slim: {by: l2, $slim}
YAML
recipe taught <<YAML
  - slim: {by: l2, self: 0.7, $slim}
YAML
recipe random-taught <<YAML
  - slim: {by: random, self: 0.7, $slim}
YAML
recipe deep <<YAML
  - shorten: {latency: 0.67, target: cortex-m4, epochs: $deep, lr: $lr, may_cost: 100, must_gain: 0}
  - slim: {by: l2, macs: 0.73, epochs: $epochs, lr: $lr, may_cost: 100, must_gain: 0}
YAML
recipe unrounded <<YAML
  - slim: {by: l2, round: 1, $slim}
YAML
recipe board <<YAML
  - slim: {by: l2, target: cortex-m4, $slim}
YAML
recipe grow <<YAML
  - train: {policies: "grow:strength=0.002", epochs: $before, lr: $lr, may_cost: 100, must_gain: 0}
  - slim: {by: l2, $slim}
YAML
recipe random <<YAML
  - slim: {by: random, $slim}
YAML

compress() { # NET HOW SEED
	at=$folder/$1-$2-$3 seed=$3 how=$2 whole=$folder/$1-$3
	set --
	[ "$how" != deep ] || set -- --policies "distill:teacher=$whole.cop part=0.7 standardise=no temperature=3" # the whole network teaches both stages
	[ -s "$at.json" ] || {
		"$bin" compress "$whole.cop" --recipe "$folder/$how.yaml" $data $limit $more "$@" --seed="$seed" --threads 1 --resume --json -o "$at.cop" >"$at.part" && mv "$at.part" "$at.json"
	}
}

field() { sed 's/.*"'"$2"'":\([-0-9][-0-9.e]*\).*/\1/' "$1"; }

milliseconds() { # FILE: the least of three times
	for i in 1 2 3; do
		"$bin" bench "$1" --batch 1 --threads 1 --seconds 0.5 --json | sed 's/.*"milliseconds_least":\([0-9.]*\).*/\1/'
	done | sort -g | head -1
}

figures() { # FILE without .cop: accuracy, MACs, ms f32, accuracy int8, ms int8, instructions, RAM
	[ -s "$1.eval" ] || "$bin" eval "$1.cop" $data --json >"$1.eval" || return 1
	[ -s "$1-int8.cop" ] || "$bin" quantize "$1.cop" $data --threads 1 --quiet -o "$1-int8.cop" >&2 || return 1
	[ -s "$1-int8.eval" ] || "$bin" eval "$1-int8.cop" $data --json >"$1-int8.eval" || return 1
	[ -s "$1.board" ] || {
		rm -rf "$1.c"
		if command -v qemu-system-arm >/dev/null && "$bin" emit "$1-int8.cop" --target cortex-m4 -o "$1.c" -q; then "$bin" check "$1.c" --json >"$1.board" 2>/dev/null; fi
		[ -s "$1.board" ] || echo '"instructions":0,"ram_bytes":0,' >"$1.board"
	}
	echo "$(field "$1.eval" accuracy) $("$bin" inspect "$1.cop" | awk '/^operations/ { gsub(",", "", $4); print $4 }') $(milliseconds "$1.cop") $(field "$1-int8.eval" accuracy) $(milliseconds "$1-int8.cop") $(field "$1.board" instructions) $(field "$1.board" ram_bytes)"
}

row() { # LABEL NET HOW, HOW empty: the whole network
	case " $rows " in *" ${3:-} "*) ;; *) [ -z "$3" ] || return 0 ;; esac
	for seed in $SEEDS; do figures "$folder/$2${3:+-$3}-$seed" || exit 1; done | awk -v label="$1" -v base="$folder/$2.whole" -v whole="${3:-}" '
		function note(k, v) { sum[k] += v; if (n == 1 || v < lo[k]) lo[k] = v; if (n == 1 || v > hi[k]) hi[k] = v }
		function mean(k) { return sum[k] / n }
		{ n++; for (k = 1; k <= 7; k++) note(k, $k) }
		END {
			if (whole == "") for (k = 1; k <= 7; k++) print mean(k) >base
			else for (k = 1; k <= 7; k++) getline was[k] <base
			for (k = 1; k <= 7; k++) if (whole == "") was[k] = mean(k)
			printf "| %s | %.2f %% (%.2f to %.2f) | %.2fx | %.2fx | %.2f %% | %.2fx | %s | %s |\n", label, 100 * mean(1), 100 * lo[1], 100 * hi[1], was[2] / mean(2), was[3] / mean(3),
				100 * mean(4), was[5] / mean(5), was[6] ? sprintf("%.1f M, %.2fx", mean(6) / 1e6, was[6] / mean(6)) : "not counted", was[7] ? sprintf("%.1f KB", mean(7) / 1024) : "not counted"
		}'
}

for net in $nets; do
	for seed in $SEEDS; do
		[ -s "$folder/$net-$seed.cop" ] || "$bin" train "$net" $data $limit --seed="$seed" --threads 1 --resume --quiet -o "$folder/$net-$seed.cop" >&2 || exit 1
		for how in $rows; do compress "$net" "$how" "$seed" || exit 1; done
	done
done
cat <<TEXT
Accuracy is on the 10,000 test pictures of \`cifar10-jpeg\`, a lossy copy of CIFAR-10, mean and least to most over the seeds. Speed is of one picture on one thread, the least of three times, as a factor over the whole
network in the same number format. Instructions and RAM are those of the int8 network in emulation of a Cortex-M4. After the removal the networks train for $epochs epochs. Published: 0.6 points lost
at 2.12 times fewer multiply-accumulates by size, none with group sparsity (ResNet-56, Torch-Pruning's README).
TEXT
for net in $nets; do
	printf '\n### %s\n\n| network | accuracy | MACs, fewer | f32, faster | accuracy in int8 | int8, faster | Cortex-M4, instructions | RAM |\n|---|---|---|---|---|---|---|---|\n' "$net"
	row "whole" "$net" ""
	row "\`slim\`, by size" "$net" size
	row "the same, taught by the whole network" "$net" taught
	row "channels at random, taught by the whole network" "$net" random-taught
	row "\`shorten\`, $deep epochs, then \`slim\` by size, taught by the whole network" "$net" deep
	row "\`slim\`, by size, widths not rounded" "$net" unrounded
	row "\`slim\`, by size, widths for a Cortex-M4" "$net" board
	row "\`grow\`, then \`slim\` by size" "$net" grow
	row "\`slim\`, at random" "$net" random
done
