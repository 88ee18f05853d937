#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The smallest file for resnet-8 and resnet-20 on cifar10-jpeg (a lossy copy of CIFAR-10): rounds of zeros and of fewer bits under a larger network as the teacher
# ONLY: resnet-8, or resnet-20, which is taught by itself as it was whole; TEACHER: a trained network, in the place of a resnet-20 that is trained here; ALONE, TAUGHT: resnet-8 trained alone and
# under it, as distill-resnet makes them; ROUNDS (5): how many; WITH: further options of every training, such as --bf16. Each round begins with the file of the one before, as plain numbers again,
# and with larger prices. Some three hours on one core; it goes on where it was stopped.
# seeds: 1
set -u
bin=$1 folder=$2
data="--data cifar10-jpeg ${WITH:-}" test="--data cifar10-jpeg" rounds=${ROUNDS:-5} top=$2

# Prices of what is not zero and its epochs, of bits and their epochs, and how the round begins
prices() {
	case $net-$1 in
	resnet-20-1) echo "9e-6 24 8e-6 16 whole" ;;
	resnet-20-2) echo "1.15e-5 8 9.5e-6 8 decode:zeros=free" ;;
	resnet-20-3) echo "4e-5 7 3e-5 8 decode:zeros=free" ;;
	*-1) echo "9e-6 30 8e-6 24 whole" ;;
	*-2) echo "4e-5 7 3e-5 8 decode:zeros=free" ;;
	*-3) echo "1.2e-4 8 3e-5 8 decode" ;;
	*-4) echo "6e-4 6 6e-5 8 decode" ;;
	*-5) echo "1.2e-3 6 6e-5 8 decode" ;;
	*) echo "3e-3 6 1.5e-4 8 decode" ;;
	esac
}

recipe() { # ALPHA EPOCHS RATE EPOCHS
	cat <<YAML
name: smallest-resnet
stages:
  - drr: {alpha: $1, epochs: $2, lr: 0.001, update: adamw decay=0.01, schedule: cosine, may_cost: 100, must_gain: 0}
  - steps: {rate: $3, epochs: $4, lr: 0.0005, update: adam, schedule: cosine, may_cost: 100, must_gain: 0}
  - encode: {codec: smallest, may_cost: 1, must_gain: 0}
YAML
}

train() { # FILE GIVEN NET SEED OPTIONS...: one that is given, or is trained
	at=$folder/$1 given=$2 zoo=$3 seed=$4
	shift 4
	[ -s "$at" ] || if [ -n "$given" ]; then cp "$given" "$at"; else "$bin" train "$zoo" $data --seed="$seed" --threads 1 --resume --quiet "$@" -o "$at" >&2; fi
}

round() { # I SEED
	at=$folder/round-$1-$2 teacher=$folder/teacher-$2.cop before=$folder/round-$(($1 - 1))-$2.cop whole=$folder/taught-$2.cop seed=$2
	[ ! -s "$at.json" ] || return 0
	set -- $(prices "$1")
	recipe "$1" "$2" "$3" "$4" >"$at.yaml"
	if [ "$5" = whole ]; then cp "$whole" "$at.from.cop"; else "$bin" apply "$before" "$5" -q -o "$at.from.cop"; fi || return 1
	"$bin" compress "$at.from.cop" --recipe "$at.yaml" $data --policies "distill:teacher=$teacher part=0.7 standardise=no temperature=3" --seed="$seed" --threads 1 --resume --json \
		-o "$at.cop" >"$at.part" && mv "$at.part" "$at.json"
}

score() { [ -s "$1.eval" ] || { "$bin" eval "$1.cop" $test --json >"$1.part" && mv "$1.part" "$1.eval"; }; }

make_all() {
	for seed in $SEEDS; do
		train "teacher-$seed.cop" "${TEACHER:-}" resnet-20 "$seed" || return 1
		if [ "$net" = resnet-8 ]; then
			train "alone-$seed.cop" "${ALONE:-}" resnet-8 "$seed" && train "taught-$seed.cop" "${TAUGHT:-}" resnet-8 "$seed" --policies "distill:teacher=$folder/teacher-$seed.cop" || return 1
		else
			for whole in alone taught; do cp "$folder/teacher-$seed.cop" "$folder/$whole-$seed.cop" || return 1; done
		fi
		for i in $(seq "$rounds"); do round "$i" "$seed" && score "$folder/round-$i-$seed" || return 1; done
		for whole in alone taught; do score "$folder/$whole-$seed" || return 1; done
	done
}

field() { sed 's/.*"'"$2"'":\([-0-9][-0-9.e]*\).*/\1/' "$1"; }
first() { tr ',{' '\n\n' <"$1" | sed -n 's/^"'"$2"'":\([-0-9][-0-9.e]*\).*/\1/p' | head -1; }

whole() { # LABEL NAME
	for seed in $SEEDS; do echo "$(field "$folder/$2-$seed.eval" accuracy) $(field "$folder/alone-$seed.eval" accuracy)"; done |
		awk -v label="$1" -v n="$parameters" '{ a += 100 * $1; d += 100 * ($1 - $2) } END { printf "| %s | %d | | | %.2f %% | %+.2f | |\n", label, n, a / NR, d / NR }'
}

row() { # I
	[ -s "$folder/round-$1-${SEEDS%% *}.json" ] || return 0
	for seed in $SEEDS; do
		at=$folder/round-$1-$seed.json
		echo "$(first "$at" nonzero) $(first "$at" file_bytes) $parameters $(field "${at%json}eval" accuracy) $(field "$folder/alone-$seed.eval" accuracy) $(field "$folder/taught-$seed.eval" accuracy)"
	done | awk -v i="$1" '{ n += $1; b += $2; f += 4 * $3 / $2; a += 100 * $4; d += 100 * ($4 - $5); t += 100 * ($4 - $6) }
		END { printf "| round %d | %.0f | %.0f | %.1fx | %.2f %% | %+.2f | %+.2f |\n", i, n / NR, b / NR, f / NR, a / NR, d / NR, t / NR }'
}
cat <<'TEXT'
Accuracy on the 10,000 test pictures of `cifar10-jpeg`, a lossy copy of CIFAR-10, mean over the seeds. The file is counted whole; the factor is that over 4 bytes for each parameter of the dense network. *Alone* and
*taught*: points more than the dense network that was trained alone, with the default settings, and than the one that was trained under the teacher, which round 1 begins with. resnet-20 is its own teacher.

TEXT
for net in ${ONLY:-resnet-8 resnet-20}; do
	folder=$top/$net
	mkdir -p "$folder"
	make_all || exit 1
	parameters=$("$bin" inspect "$folder/taught-${SEEDS%% *}.cop" --json | sed 's/.*"parameters":\([0-9]*\).*/\1/')
	printf '### %s\n\n| network | not zero | bytes of the file | factor | accuracy | alone | taught |\n|---|---|---|---|---|---|---|\n' "$net"
	whole "dense, trained alone" alone
	[ "$net" = resnet-20 ] || whole "dense, trained under the teacher" taught
	for i in $(seq "$rounds"); do row "$i"; done
	echo
done
