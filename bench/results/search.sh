#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Networks searched for a Cortex-M4 with 64 KB of RAM and 128 KB of flash, against MLPerf Tiny's resnet-8 and ds-cnn and against random search at equal cost
# Pictures are those of cifar10-jpeg, a lossy copy of CIFAR-10; of the 1,000 keyword clips that there are here 400 train, 200 decide, and 400 test. All networks of a task are trained with the same settings.
# EPOCHS (15; clips: 60), TRIES (24): networks that a search judges; LIMIT (2000): samples of each part of the pictures; ONLY=pictures or clips; JUDGES (train shared); PRINT=yes: the table of the runs that there are. A folder keeps the settings of its runs.
# seeds: 1
set -u
bin=$1 folder=$2
judges=${JUDGES:-train shared}
machine="--target cortex-m4 --ram 64K --flash 128K"

clips() { [ -s "$folder/clips/y_test.npy" ] || python3 "$(dirname "$0")/../clips.py" "$folder/clips"; }

# What the runs of a task were made with: those that are there already say it for the next ones.
settings() { # TASK EPOCHS
	[ -s "$folder/$1.settings" ] || echo "${EPOCHS:-$2} ${TRIES:-24} ${LIMIT:-2000}" >"$folder/$1.settings"
	read -r epochs tries limit <"$folder/$1.settings"
}

field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$2"; }
seconds() { awk 'NR == 2 { split($1, t, "[ms]"); print t[1] * 60 + t[2] }' "$1"; }

# TASK SEED NET DATA OPTIONS: a network as it is, trained, in int8
hand() {
	at=$folder/$1-hand-$2
	[ ! -s "$at" ] && [ -z "${PRINT:-}" ] || return 0
	("$bin" train "$3" --data "$4" --seed "$2" --threads 1 --resume -q $5 -o "$at.float.cop" && times >"$at.times") || return 1
	"$bin" quantize "$at.float.cop" --data "$4" -q -o "$at.cop" && "$bin" eval "$at.cop" --data "$4" $6 --json >"$at.eval" && "$bin" compare "$at.cop" "$at.cop" --target cortex-m4 --json >"$at.figures" || return 1
	echo "- $(field accuracy "$at.eval") $(field ram_bytes "$at.figures") $(field flash_bytes "$at.figures") $(field macs "$at.figures") $(field instructions "$at.figures") $(seconds "$at.times")" >"$at"
}

# TASK SEED DATA OPTIONS JUDGE WAY EACH
searched() {
	at=$folder/$1-$5-$6-$2
	[ ! -s "$at" ] && [ -z "${PRINT:-}" ] || return 0
	("$bin" search --data "$3" --seed "$2" --threads 1 --resume $machine $4 --draws 20 --tries "$tries" --judge "$5" --by "$6" --each "$7" --network "$at.txt" --json -o "$at.cop" >"$at.json" 2>"$at.log" && times >"$at.times") || return 1
	python3 - "$at.json" "$(seconds "$at.times")" >"$at.part" <<'P' && mv "$at.part" "$at"
import json, sys
d = json.load(open(sys.argv[1]))
print(d["judged"], d["accuracy"], d["ram_bytes"], d["flash_bytes"], d["macs"], d["instructions"], sys.argv[2])
P
}

all() { # TASK SEED NET DATA OPTIONS LIMIT EACH SHARED
	hand "$1" "$2" "$3" "$4" "$5" "$6" || return 1
	for judge in $judges; do
		each=$7
		[ "$judge" = train ] || each=$8
		for way in evolution random; do searched "$1" "$2" "$4" "$5" "$judge" $way "$each" || return 1; done
	done
}

row() { # LABEL TASK-WAY
	for seed in $SEEDS; do [ ! -s "$folder/$2-$seed" ] || cat "$folder/$2-$seed"; done | awk -v label="$1" '
		{ n++; j += $1; a = 100 * $2; s += a; if (n == 1 || a < lo) lo = a; if (n == 1 || a > hi) hi = a; r += $3; f += $4; m += $5; i += $6; t += $7; timed = $7 != "-"; known = $1 != "-" }
		END {
			if (!n) { printf "| %s | not measured yet | | | | | | |\n", label; exit }
			printf "| %s | %s | %.2f%s | %.0f | %.0f | %.2f M | %.2f M | %s |\n", label, (known ? sprintf("%.2f", 100 * j / n) : "-"), s / n, (n > 1 ? sprintf(" (%.2f to %.2f)", lo, hi) : ""), r / n, f / n, m / n / 1e6, i / n / 1e6, (timed ? sprintf("%.0f", t / n) : "-") }'
}

table() { # TASK HAND
	row "$2, made by hand" "$1-hand"
	row "evolution, each trained" "$1-train-evolution"
	row "random, each trained" "$1-train-random"
	row "evolution, shared weights" "$1-shared-evolution"
	row "random, shared weights" "$1-shared-random"
}

for seed in $SEEDS; do
	settings clips 60
	clip="--valid 0.33 --epochs $epochs --batch 32 --lr 0.002 --update adam --schedule cosine --augment shift=2,normalise"
	[ "${ONLY:-clips}" != clips ] || { clips && all clips "$seed" ds-cnn "$folder/clips" "$clip" "" 8 "$((epochs / 2))"; } || exit 1
	settings pictures 15
	picture="--limit $limit --epochs $epochs --batch 64 --lr 0.05 --schedule cosine:warmup=1 --augment flip,crop=4,normalise"
	[ "${ONLY:-pictures}" != pictures ] || all pictures "$seed" resnet-8 cifar10-jpeg "$picture" "--limit $limit" 1 "$epochs" || exit 1
done
cat <<TEXT
Accuracy in percent, in int8: "judged" is that of the best network on the validation samples when it was judged, "test" that on the test samples after its training. RAM is without the stack, flash without the code. Instructions are
foretold for one inference. Seconds are those of the processor in all of the search, or in the training of the network made by hand.

On cifar10-jpeg, a lossy copy of CIFAR-10, with $limit samples for training and $epochs epochs for each network; a search judges $tries networks, each trained for one epoch:

| network | judged | test | RAM | flash | MACs | instructions | seconds |
|---|---|---|---|---|---|---|---|
TEXT
table pictures resnet-8
settings clips 60
cat <<TEXT

On 400 keyword clips with $epochs epochs for each network; a search judges $tries networks, each trained for eight epochs:

| network | judged | test | RAM | flash | MACs | instructions | seconds |
|---|---|---|---|---|---|---|---|
TEXT
table clips ds-cnn
