#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Five jobs of small devices (`examples/use.sh`), compressed without a recipe for a Cortex-M4: score, flash, RAM, instructions and time before and after
# keyword, wake, digit: at most 1 point of accuracy on the validation part may be lost; anomaly, detector: the loss may rise by 10 percent. wake uses cifar10-jpeg,
# a lossy copy of CIFAR-10. Flash is that of weights and code, RAM that of a run with its stack, both as an emulated board measures them, as are instructions
# (arm-none-eabi-gcc, qemu-system-arm). Milliseconds are those of one sample on one thread of this machine; the two networks take turns.
# ONLY=keyword: one row; PRINT=yes: the table of the runs that there are
set -u
bin=$1 folder=$2
PATH=$(dirname "$bin"):$PATH
export PATH
jobs=${ONLY:-keyword wake digit anomaly detector}

field() { sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p" "$2" | head -1; }
# The first of them that the file has
score() { for f in accuracy auc f1; do v=$(field $f "$1"); [ -z "$v" ] || { echo "$v"; return; }; done; }
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# FOLDER: one line of score, flash, RAM, instructions and milliseconds, before and after
collect() {
	for turn in 1 2 3 4 5; do
		for net in net small; do "$bin" bench "$1/$net.cop" --batch 1 --threads 1 --seconds 0.3 --json | sed -n 's/.*"milliseconds":\([0-9.e-]*\).*/\1/p' >>"$1/$net.ms"; done
	done
	for net in net small; do
		echo "$(score "$1/$net.json")" "$(field flash_bytes "$1/$net/check/result.json")" "$(field ram_bytes "$1/$net/check/result.json")" "$(field instructions "$1/$net/check/result.json")" "$(median <"$1/$net.ms")"
	done | tr '\n' ' ' >"$1/line.part" && mv "$1/line.part" "$1/line"
}

run() {
	at=$folder/$1-$2
	[ -z "${PRINT:-}" ] && [ ! -s "$at/line" ] || return 0
	SEED=$2 examples/use.sh "$1" "$at" >"$folder/$1-$2.log" && rm -f "$at"/*.ms && collect "$at"
}

row() {
	for seed in $SEEDS; do [ ! -s "$folder/$1-$seed/line" ] || { cat "$folder/$1-$seed/line"; echo; }; done | awk -v job="$1" -v what="$2" '
		function note(k, v) { sum[k] += v; if (NR == 1 || v < lo[k]) lo[k] = v; if (NR == 1 || v > hi[k]) hi[k] = v }
		function kb(v) { return sprintf("%.1f", v / 1024) }
		{ for (i = 1; i <= 10; i++) note(i, $i); note(11, $2 / $7); note(12, $4 / $9); note(13, $5 / $10); note(14, $3 / $8) }
		function ratio(k) { return sprintf("%.1fx", sum[k] / NR) (NR > 1 ? sprintf(" (%.1f to %.1f)", lo[k], hi[k]) : "") }
		END {
			if (!NR) { printf "| %s | 0 | not measured yet | | | | |\n", job; exit }
			p = what == "accuracy" ? 100 : 1; f = what == "accuracy" ? "%.2f" : "%.3f"; u = what == "accuracy" ? " %%" : ""
			printf "| %s | %d | %s " f u " to " f u " (" f " to " f ") | %s to %s KB: %s | %s to %s KB: %s | %.2f to %.2f M: %s | %.4f to %.4f ms: %s |\n", job, NR, what, p * sum[1] / NR, p * sum[6] / NR, p * lo[6], p * hi[6],
				kb(sum[2] / NR), kb(sum[7] / NR), ratio(11), kb(sum[3] / NR), kb(sum[8] / NR), ratio(14), sum[4] / NR / 1e6, sum[9] / NR / 1e6, ratio(12), sum[5] / NR, sum[10] / NR, ratio(13)
		}'
}

for seed in $SEEDS; do
	for job in $jobs; do run "$job" "$seed" >&2 || exit 1; done
done
echo '| job | seeds | score on the test part: before, after (least to most) | flash | RAM | instructions, Cortex-M4 | time on this machine |'
echo '|---|---|---|---|---|---|---|'
row keyword accuracy
row wake accuracy
row digit accuracy
row anomaly AUC
row detector F1
