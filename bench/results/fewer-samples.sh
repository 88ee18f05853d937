#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Training that leaves samples out: InfoBatch, batches left out by chance, and simply fewer epochs, at the same number of samples: accuracy, samples, CPU time
# A small LeNet-5 (6 and 16 filters) on LIMIT (20000) samples of Fashion-MNIST for EPOCHS (10) epochs, and on MNIST_LIMIT (20000) of MNIST for MNIST_EPOCHS (10); resnet-8,
# with the first seed and the first four trainings alone, on RESNET_LIMIT (5000) samples for RESNET_EPOCHS (6). ONLY: of fashion mnist resnet-8. CPU time is that of the whole command on one thread, which reads the data,
# too; nothing is scored on the way.
set -u
bin=$1 folder=$2
runs=${ONLY:-fashion mnist resnet-8}

is_resnet() { [ "$1" = resnet-8 ]; }
data_of() { case $1 in fashion) echo fashion-mnist ;; mnist) echo mnist ;; *) echo cifar10-jpeg ;; esac; }
limit_of() { case $1 in fashion) echo "${LIMIT:-20000}" ;; mnist) echo "${MNIST_LIMIT:-20000}" ;; *) echo "${RESNET_LIMIT:-5000}" ;; esac; }
epochs_of() { case $1 in fashion) echo "${EPOCHS:-10}" ;; mnist) echo "${MNIST_EPOCHS:-10}" ;; *) echo "${RESNET_EPOCHS:-6}" ;; esac; }
seeds_of() { is_resnet "$1" && echo "${SEEDS%% *}" || echo "$SEEDS"; }
model_of() { is_resnet "$1" && echo "$1" || echo "$folder/lenet-5.txt"; }
settings_of() { is_resnet "$1" || echo "--batch 32 --lr 0.002"; }
update_of() { is_resnet "$1" && echo "sgd momentum=0.9 nesterov=1 decay=5e-4" || echo adam; }

# NET SEED NAME EPOCHS [POLICIES]: trains and scores, once: "samples seconds accuracy" in a file
trained() {
	at=$folder/$1-$3-$2 policies=${5:-}
	[ -s "$at.said" ] && return
	("$bin" train "$(model_of "$1")" --data "$(data_of "$1")" --limit "$(limit_of "$1")" $(settings_of "$1") --update "$(update_of "$1")" --epochs "$4" ${policies:+--policies "$policies"} \
		--valid no --threads 1 --seed "$2" --json -o "$at.cop" >"$at.json" || exit 1; times) | tail -n 1 >"$at.times" || return 1
	samples=$(sed -n 's/.*"trained_samples":\([0-9]*\).*/\1/p' "$at.json")
	accuracy=$("$bin" eval "$at.cop" --data "$(data_of "$1")" --threads 1 | awk '/^accuracy/ { print $2 }')
	awk -v samples="$samples" -v accuracy="$accuracy" '{ for (i = 1; i <= 2; i++) { split($i, t, "[ms]"); s += 60 * t[1] + t[2] } print samples, s, accuracy }' "$at.times" >"$at.part" &&
		[ -n "$samples" ] && mv "$at.part" "$at.said"
}

# NET SEED NAME: the part of the samples of a plain run
part_of() { awk 'NR == 1 { all = $1 } NR == 2 { print $1 / all }' "$folder/$1-plain-$2.said" "$folder/$1-$3-$2.said"; }
# NET SEED NAME: as many epochs of all samples
as_many() { awk -v part="$(part_of "$1" "$2" "$3")" -v n="$(epochs_of "$1")" 'BEGIN { printf "%.0f", part * n }'; }

train_all() { # NET SEED
	n=$(epochs_of "$1")
	trained "$1" "$2" plain "$n" && trained "$1" "$2" infobatch "$n" infobatch &&
		trained "$1" "$2" as-infobatch "$(as_many "$1" "$2" infobatch)" &&
		trained "$1" "$2" random "$n" "skip-batches:part=$(awk -v p="$(part_of "$1" "$2" infobatch)" 'BEGIN { print 1 - p }')" || return 1
	is_resnet "$1" || { trained "$1" "$2" skip "$n" skip-batches && trained "$1" "$2" as-skip $((n / 2)) && trained "$1" "$2" infobatch-more "$n" infobatch:part=0.75 &&
		trained "$1" "$2" as-infobatch-more "$(as_many "$1" "$2" infobatch-more)"; }
}

# NET LABEL NAME: a row of the table
row() {
	for s in $(seeds_of "$1"); do cat "$folder/$1-plain-$s.said" "$folder/$1-$3-$s.said" | paste - -; done | awk -v label="$2" '
		{ d = $6 - $3; a += $6; all += d; n += $4; part += $4 / $1; s += $5; of += $5 / $2; if (NR == 1 || d < lo) lo = d; if (NR == 1 || d > hi) hi = d }
		END { printf "| %s | %.2f %% | %+.2f", label, a / NR, all / NR; if (NR > 1) printf " (%+.2f to %+.2f)", lo, hi
			printf " | %.0f | %.0f %% | %.1f | %+.0f %% |\n", n / NR, 100 * part / NR, s / NR, 100 * (of / NR - 1) }'
}

table() {
	cat <<TEXT

### $(is_resnet "$1" && echo "$1" || echo LeNet-5), $(limit_of "$1") samples of $(data_of "$1")

| training | accuracy | points against all samples | samples trained on | of all | CPU seconds | against all samples |
|---|---:|---:|---:|---:|---:|---:|
TEXT
	row "$1" "all samples, $(epochs_of "$1") epochs" plain
	row "$1" "infobatch" infobatch
	row "$1" "as many samples: fewer epochs" as-infobatch
	row "$1" "as many samples: batches by chance" random
	is_resnet "$1" || row "$1" "infobatch:part=0.75" infobatch-more
	is_resnet "$1" || row "$1" "as many samples: fewer epochs" as-infobatch-more
	is_resnet "$1" || row "$1" "skip-batches, half of them" skip
	is_resnet "$1" || row "$1" "as many samples: half of the epochs" as-skip
}

printf 'input 28 28 1\nconv 6 5x5 pad valid norm relu\nmaxpool 2\nconv 16 5x5 pad valid norm relu\nmaxpool 2\nfc 64 relu\nfc 10\n' >"$folder/lenet-5.txt"
for net in $runs; do
	for seed in $(seeds_of "$net"); do train_all "$net" "$seed" || exit 1; done
done
cat <<'TEXT'
Accuracy is the mean on the 10,000 test images; the difference is to the training with all samples and the same seed, its mean, least and most. Each sample counts once an epoch. The rate falls to zero within each training, so fewer epochs
are a whole schedule, only shorter. Seconds are of the whole command on one thread, reading the data included. `cifar10-jpeg` is a lossy copy of CIFAR-10.
TEXT
for net in $runs; do table "$net"; done
