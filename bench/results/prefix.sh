#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# First layers that are not trained any more: once they have settled, at a fixed time, with and without what they put out being kept: accuracy, CPU time
# A small LeNet-5 (6 and 16 filters) on LIMIT (15000) samples of Fashion-MNIST for EPOCHS (10) epochs; resnet-8 with the first seed alone on RESNET_LIMIT (2000) samples of cifar10-jpeg for
# RESNET_EPOCHS (8). ONLY: of lenet moved resnet-8. CPU time is that of the whole command on one thread, which reads the data, too; nothing is scored on the way.
set -u
bin=$1 folder=$2
runs=${ONLY:-lenet moved resnet-8}

is_resnet() { [ "$1" = resnet-8 ]; }
data_of() { is_resnet "$1" && echo cifar10-jpeg || echo fashion-mnist; }
limit_of() { is_resnet "$1" && echo "${RESNET_LIMIT:-2000}" || echo "${LIMIT:-15000}"; }
epochs_of() { is_resnet "$1" && echo "${RESNET_EPOCHS:-8}" || echo "${EPOCHS:-10}"; }
seeds_of() { is_resnet "$1" && echo "${SEEDS%% *}" || echo "$SEEDS"; }
settings_of() {
	case $1 in
	resnet-8) echo "--augment normalise" ;;
	moved) echo "--batch 32 --lr 0.002 --augment shift=2" ;;
	*) echo "--batch 32 --lr 0.002 --augment none" ;;
	esac
}
update_of() { is_resnet "$1" && echo "sgd momentum=0.9 nesterov=1 decay=5e-4" || echo adam; }

# NET SEED NAME EPOCHS [POLICIES]: trains and scores, once: "seconds accuracy" in a file
trained() {
	at=$folder/$1-$3-$2 model=$folder/lenet-5.txt
	[ -s "$at.said" ] && return
	is_resnet "$1" && model=$1
	("$bin" train "$model" --data "$(data_of "$1")" --limit "$(limit_of "$1")" $(settings_of "$1") --update "$(update_of "$1")" --epochs "$4" --policies "${5:-none}" \
		--valid no --threads 1 --seed "$2" --quiet -o "$at.cop" || exit 1; times) | tail -n 1 >"$at.times" || return 1
	accuracy=$("$bin" eval "$at.cop" --data "$(data_of "$1")" --threads 1 | awk '/^accuracy/ { print $2 }')
	awk -v accuracy="$accuracy" '{ for (i = 1; i <= 2; i++) { split($i, t, "[ms]"); s += 60 * t[1] + t[2] } print s, accuracy }' "$at.times" >"$at.part" && [ -n "$accuracy" ] && mv "$at.part" "$at.said"
}

# NET SEED NAME: epochs of all layers that take as many seconds, one at least
as_long() { awk -v n="$(epochs_of "$1")" 'NR == 1 { all = $1 } NR == 2 { e = sprintf("%.0f", n * $1 / all); print (e > 1 ? e : 1) }' "$folder/$1-plain-$2.said" "$folder/$1-$3-$2.said"; }

train_all() { # NET SEED
	n=$(epochs_of "$1")
	trained "$1" "$2" plain "$n" && trained "$1" "$2" prefix "$n" prefix && trained "$1" "$2" half "$n" prefix:tol=0.125 && trained "$1" "$2" as-prefix "$(as_long "$1" "$2" prefix)" &&
		trained "$1" "$2" fixed "$n" "prefix:tol=1000,patience=$((n / 2 - 1))" || return 1
	[ "$1" = moved ] || trained "$1" "$2" again "$n" prefix:cache=0
}

row() { # NET LABEL NAME
	for s in $(seeds_of "$1"); do cat "$folder/$1-plain-$s.said" "$folder/$1-$3-$s.said" | paste - -; done | awk -v label="$2" '
		{ d = $4 - $2; a += $4; all += d; s += $3; of += $3 / $1; if (NR == 1 || d < lo) lo = d; if (NR == 1 || d > hi) hi = d }
		END { printf "| %s | %.2f %% | %+.2f", label, a / NR, all / NR; if (NR > 1) printf " (%+.2f to %+.2f)", lo, hi
			printf " | %.1f | %+.0f %% |\n", s / NR, 100 * (of / NR - 1) }'
}

table() {
	case $1 in lenet) title="LeNet-5, samples as they are" ;; moved) title="LeNet-5, samples that move by up to two pixels" ;; *) title="resnet-8, samples as they are" ;; esac
	cat <<TEXT

### $title: $(limit_of "$1") of $(data_of "$1"), $(epochs_of "$1") epochs

| training | accuracy | points against all layers | CPU seconds | against all layers |
|---|---:|---:|---:|---:|
TEXT
	row "$1" "all layers" plain
	row "$1" "\`prefix\`" prefix
	[ "$1" = moved ] || row "$1" "\`prefix:cache=0\`: frozen layers run each time" again
	row "$1" "\`prefix:tol=0.125\`" half
	row "$1" "all but the last at half of the time, settled or not" fixed
	row "$1" "all layers, fewer epochs: as long as \`prefix\`" as-prefix
}

printf 'input 28 28 1\nconv 6 5x5 pad valid norm relu\nmaxpool 2\nconv 16 5x5 pad valid norm relu\nmaxpool 2\nfc 64 relu\nfc 10\n' >"$folder/lenet-5.txt"
for net in $runs; do
	for seed in $(seeds_of "$net"); do train_all "$net" "$seed" || exit 1; done
done
cat <<'TEXT'
Accuracy is the mean on the 10,000 test images; the difference is to the training of all layers with the same seed, its mean, least and most. The rate falls to zero within each training, so fewer epochs are a whole schedule, only shorter.
`cifar10-jpeg` is a lossy copy of CIFAR-10.
TEXT
for net in $runs; do table "$net"; done
