#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How good do networks become with `coppice train NET --data DATA` and no other option? One row a network: accuracy on the test part, mean and
# range over seeds. It can be stopped at any moment and goes on where it was; what is done is not done again.
#
#   bench/baselines.sh build/coppice [FOLDER]      FOLDER keeps networks and checkpoints (build/baselines)
#   ONLY=resnet-8 SEEDS=1 bench/baselines.sh ...   some rows, some seeds (all, "1 2 3")
#   PRINT=yes bench/baselines.sh ...               the table of what is there, nothing is trained
#
# cifar10-jpeg is a lossy copy of CIFAR-10: networks lose some points on it, so its figures are compared within it only.
set -u
bin=${1:?usage: bench/baselines.sh path/to/coppice [FOLDER]}
folder=${2:-build/baselines}
seeds=${SEEDS:-1 2 3}
only=${ONLY:-}
threads=${THREADS:+--threads=$THREADS}
mkdir -p "$folder" || exit 1

# NET DATA SEED: its accuracy goes to a file of its own
train() {
	at=$folder/$1-$3
	[ ! -s "$at.accuracy" ] || return 0
	[ -z "${PRINT:-}" ] || return 0
	"$bin" train "$1" --data "$2" --seed="$3" --resume $threads -o "$at.cop" >&2 || return 1
	"$bin" eval "$at.cop" --data "$2" --json $threads | sed -n 's/.*"accuracy":\([0-9.]*\).*/\1/p' >"$at.part" && [ -s "$at.part" ] && mv "$at.part" "$at.accuracy"
}

# NET DATA MUST AIM
row() {
	case " $only " in *" $1 "* | "  ") ;; *) return ;; esac
	for seed in $seeds; do train "$1" "$2" "$seed" || exit 1; done
	for seed in $seeds; do [ ! -s "$folder/$1-$seed.accuracy" ] || cat "$folder/$1-$seed.accuracy"; done | awk -v net="$1" -v data="$2" -v must="$3" -v aim="$4" '
		{ v = 100 * $1; sum += v; if (!n || v < lo) lo = v; if (!n || v > hi) hi = v; n++ }
		END {
			if (n) printf "| `%s` | `%s` | %d | %.2f %% | %.2f to %.2f %% | %s %% | %s %% |\n", net, data, n, sum / n, lo, hi, must, aim
			else printf "| `%s` | `%s` | 0 | not yet | | %s %% | %s %% |\n", net, data, must, aim
		}'
}

echo '| network | data | seeds | mean | range | at least | aim |'
echo '|---|---|---|---|---|---|---|'
row lenet-300-100 mnist 98.4 98.6
row lenet-5 mnist 99.2 99.4
row resnet-8 cifar10-jpeg 80 82
row resnet-20 cifar10-jpeg 85 87
