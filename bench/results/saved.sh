#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the backward pass reads, computed again or kept as bytes and bits (saved=): memory of a training step here and on a board, milliseconds, accuracy
# lenet-5 on LIMIT (5000) samples of MNIST for EPOCHS (5) epochs, resnet-8 on as many of cifar10-jpeg, each with its own settings and the first seed alone for resnet-8; ONLY: of lenet-5 resnet-8. The last row of each table is the plain baseline at the memory
# of int8-all: floats, and the largest batch whose step takes no more. saved=exact is not trained: it has the bits of floats (tests/train/test_saved.c). The first table counts NETS at batch 64.
set -u
bin=$1 folder=$2
runs=${ONLY:-lenet-5 resnet-8}
nets=${NETS:-lenet-5 resnet-8 resnet-20 mobilenet-v2-0.35@128 airbench-0.25 vit-64x4}

data_of() { case $1 in lenet-5) echo mnist ;; *) echo cifar10-jpeg ;; esac; }
batch_of() { case $1 in lenet-5) echo 64 ;; *) echo 128 ;; esac; }
seeds_of() { case $1 in lenet-5) echo "$SEEDS" ;; *) echo "${SEEDS%% *}" ;; esac; }
rate_of() { case $1 in lenet-5) echo 0.02 ;; *) echo 0.1 ;; esac; }
rule_of() { case $1 in lenet-5) echo "sgd momentum=0.9 decay=5e-4" ;; *) echo "sgd momentum=0.9 nesterov=1 decay=5e-4" ;; esac; }

# NET WAY BATCH: "bytes milliseconds" of a step: CPU time of the whole command by the steps that it makes, so that other work on the machine counts little
step() {
	at=$folder/$1-$2-$3.step
	[ -s "$at" ] || { ("$bin" bench "$1" --train --batch "$3" --update "$(rule_of "$1") saved=$2" --threads 1 --seconds 1 --json; times) | awk '
		/"runs"/ { runs = $0; sub(/.*"runs":/, "", runs); bytes = $0; sub(/.*"arena_bytes":/, "", bytes) }
		{ last = $1 }
		END { split(last, t, "[ms]"); print bytes + 0, 1000 * (60 * t[1] + t[2]) / (runs + 3) }' >"$at.part" && mv "$at.part" "$at"; }
	cat "$at"
}

# NET WAY: bytes of values of a step of one sample on a Cortex-M4
board() {
	[ -s "$folder/$1-$2.board" ] || { "$bin" emit "$1" --train --update "sgd momentum=0 saved=$2" --target cortex-m4 --ram 4M --flash 4M -o "$folder/board" -q &&
		sed -n 's/^#define NET_ARENA_BYTES \([0-9]*\).*/\1/p' "$folder/board/net.h" >"$folder/$1-$2.board" && rm -rf "$folder/board"; }
	cat "$folder/$1-$2.board"
}

# NET WAY BATCH SEED: trains and scores, once. The rate of a smaller batch is as much smaller.
trained() {
	at=$folder/$1-$2-$3-$4
	[ -s "$at.said" ] && return
	rate=$(awk -v r="$(rate_of "$1")" -v b="$3" -v of="$(batch_of "$1")" 'BEGIN { print r * b / of }')
	"$bin" train "$1" --data "$(data_of "$1")" --limit "${LIMIT:-5000}" --epochs "${EPOCHS:-5}" --batch "$3" --lr "$rate" --update "$(rule_of "$1") saved=$2" --valid no --threads 1 --seed "$4" -q -o "$at.cop" &&
		"$bin" eval "$at.cop" --data "$(data_of "$1")" --threads 1 | awk '/^accuracy/ { print $2 }' >"$at.part" && mv "$at.part" "$at.said"
}

# NET: the largest batch of floats that takes no more than int8-all
smaller() {
	most=$(step "$1" int8-all "$(batch_of "$1")" | cut -d' ' -f 1) b=$(batch_of "$1")
	while [ "$b" -gt 1 ] && [ "$(step "$1" float "$b" | cut -d' ' -f 1)" -gt "$most" ]; do b=$((b - 4)); done
	echo "$b"
}

# NET LABEL WAY BATCH BOARD
row() {
	for s in $(seeds_of "$1"); do
		as=$3
		[ "$as" = exact ] && as=float
		trained "$1" "$as" "$4" "$s" || exit 1
		cat "$folder/$1-$as-$4-$s.said"
	done |
		awk -v label="$2" -v step="$(step "$1" "$3" "$4")" -v board="$5" '{ a += $1; if (NR == 1 || $1 + 0 < lo) lo = $1 + 0; if ($1 + 0 > hi) hi = $1 + 0 }
			END { split(step, s, " "); printf "| %s | %s | %s | %.1f | %.2f %% (%.2f to %.2f) |\n", label, s[1], board, s[2], a / NR, lo, hi }'
}

echo 'Bytes are those of the arena of the plan: inputs, values and scratch of kernels, without weights and momentum. `cifar10-jpeg` is a lossy copy of CIFAR-10. Accuracy is on the 10,000 test images: the mean of the seeds, the least and the most; `resnet-8` was trained from the first seed alone.'
printf '\n### A step of 64 samples\n\n| network | floats | exact | int8 | int8-all |\n|---|---:|---:|---:|---:|\n'
for net in $nets; do
	for way in float exact int8 int8-all; do step "$net" "$way" 64; done | awk -v net="$net" '
		{ b[NR] = $1 }
		END { printf "| %s | %d", net, b[1]; for (i = 2; i <= 4; i++) printf " | %d (%+.0f %%)", b[i], 100 * (b[i] / b[1] - 1); print " |" }'
done
for net in $runs; do
	b=$(batch_of "$net")
	less=$(smaller "$net")
	printf '\n### %s, %s samples of %s, %s epochs\n\n| training | bytes of a step | on a Cortex-M4, batch 1 | CPU ms a step | accuracy |\n|---|---:|---:|---:|---:|\n' "$net" "${LIMIT:-5000}" "$(data_of "$net")" "${EPOCHS:-5}"
	for way in float exact int8 int8-all; do row "$net" "\`saved=$way\`, batch $b" "$way" "$b" "$(board "$net" "$way")"; done
	[ "$less" = "$b" ] || row "$net" "floats, batch $less" float "$less" -
done
