#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Pruned networks as the engine runs them: LeNet-300-100 and LeNet-5 on MNIST, f32 and int8: bytes of the file, milliseconds, Cortex-M4 instructions and flash
# Single weights go by magnitude, by a cubic schedule over EPOCHS (6) epochs, or at random, until 10 % of each layer are left. ONLY: one of the networks.
# seeds: 1 2 3
set -u
bin=$1 folder=$2
nets=${ONLY:-lenet-300-100 lenet-5}
epochs=${EPOCHS:-6}
field() { sed 's/.*"'"$2"'":\([-0-9][-0-9.e]*\).*/\1/' "$1"; }
for by in magnitude random; do
	printf 'name: sparse\nstages:\n  - prune: {by: %s, scope: layer, keep: 0.1, schedule: cubic, over: 0.6, epochs: %s, update: "sgd momentum=0.9", lr: 0.02, may_cost: 100, must_gain: 0}\n' $by "$epochs" >"$folder/$by.yaml"
done

milliseconds() { # FILE: the least of three times
	for i in 1 2 3; do "$bin" bench "$1" --batch 1 --threads 1 --seconds 0.3 --json | sed 's/.*"milliseconds_least":\([0-9.]*\).*/\1/'; done | sort -g | head -1
}

figures() { # FILE without .cop: accuracy, bytes, ms, instructions, flash, RAM
	[ -s "$1.eval" ] || { "$bin" eval "$1.cop" --data mnist --json >"$1.eval.part" && mv "$1.eval.part" "$1.eval"; } || return 1
	[ -s "$1.ms" ] || { milliseconds "$1.cop" >"$1.ms.part" && mv "$1.ms.part" "$1.ms"; } || return 1
	[ -s "$1.board" ] || {
		rm -rf "$1.c"
		if command -v qemu-system-arm >/dev/null && "$bin" emit "$1.cop" --target cortex-m4 -o "$1.c" -q; then "$bin" check "$1.c" --json >"$1.board" 2>/dev/null; fi
		[ -s "$1.board" ] || echo '"instructions":0,"ram_bytes":0,"flash_bytes":0,' >"$1.board"
		rm -rf "$1.c"
	}
	echo "$(field "$1.eval" accuracy) $(wc -c <"$1.cop") $(cat "$1.ms") $(field "$1.board" instructions) $(field "$1.board" flash_bytes) $(field "$1.board" ram_bytes)"
}

row() { # LABEL NET HOW FORMAT BASE: how is empty for the whole network; base: the file of figures to compare with, written where how is empty
	for seed in $SEEDS; do figures "$folder/$2$3-$seed$4" || exit 1; done | awk -v label="$1" -v base="$folder/$2$4.whole" -v whole="$3" '
		{ n++; for (k = 1; k <= 6; k++) { sum[k] += $k; if (n == 1 || $k < lo[k]) lo[k] = $k; if (n == 1 || $k > hi[k]) hi[k] = $k } }
		END {
			for (k = 1; k <= 6; k++) { v[k] = sum[k] / n; if (whole == "") { was[k] = v[k]; print v[k] >base } else getline was[k] <base }
			printf "| %s | %.2f %% (%.2f to %.2f) | %.1f KB, %.1fx | %.4f, %.2fx | %s | %s | %s |\n", label, 100 * v[1], 100 * lo[1], 100 * hi[1], v[2] / 1000, was[2] / v[2], v[3], was[3] / v[3],
				v[4] ? sprintf("%.3f M, %.2fx", v[4] / 1e6, was[4] / v[4]) : "not counted", v[5] ? sprintf("%.1f KB, %.1fx", v[5] / 1000, was[5] / v[5]) : "not counted", v[6] ? sprintf("%.1f KB", v[6] / 1000) : "not counted"
		}'
}

for net in $nets; do
	for seed in $SEEDS; do
		[ -s "$folder/$net-$seed.cop" ] || "$bin" train "$net" --data mnist --seed="$seed" --threads 1 --epochs "$epochs" --resume --quiet -o "$folder/$net-$seed.cop" >&2 || exit 1
		for how in magnitude random; do
			[ -s "$folder/$net-$how-$seed.cop" ] || "$bin" compress "$folder/$net-$seed.cop" --recipe "$folder/$how.yaml" --data mnist --seed="$seed" --threads 1 --resume --quiet -o "$folder/$net-$how-$seed.cop" >&2 || exit 1
		done
		for how in "" -magnitude -random; do
			[ -s "$folder/$net$how-$seed-int8.cop" ] || "$bin" quantize "$folder/$net$how-$seed.cop" --data mnist --threads 1 --quiet -o "$folder/$net$how-$seed-int8.cop" >&2 || exit 1
		done
	done
done
cat <<TEXT
The networks were trained for $epochs epochs, and pruned for $epochs more. Accuracy is on the 10,000 test pictures of MNIST, mean and least to most over the seeds. The file is the \`.cop\`. Milliseconds are those of one picture on one
thread, the least of three times; instructions, flash (weights and code) and RAM (with the stack) are those of emitted code for a Cortex-M4 in emulation. Factors are over the whole network in the same number format.
TEXT
for net in $nets; do
	printf '\n### %s\n\n| network | accuracy | file | milliseconds | Cortex-M4, instructions | flash | RAM |\n|---|---|---|---|---|---|---|\n' "$net"
	for format in "" -int8; do
		name=${format:+int8} name=${name:-f32}
		row "$name, whole" "$net" "" "$format"
		row "$name, 10 % kept, by magnitude" "$net" -magnitude "$format"
		row "$name, 10 % kept, at random" "$net" -random "$format"
	done
done
