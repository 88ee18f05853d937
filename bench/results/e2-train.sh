#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# E2-Train: batches and blocks left out, signs of few bits, beside fewer epochs, blocks left out by chance and the recipe airbench: accuracy, estimated energy, CPU time
# NET (resnet-8) on LIMIT (1500) samples of cifar10-jpeg for EPOCHS (6) epochs. CPU time is that of the whole command on one thread, which reads the data, too. Energy counts the multiplications and additions of
# layers at 32 bits as `coppice inspect` estimates them for one sample (45 nm, Horowitz 2014), three times for a sample that is trained on, times the part that was done. seeds of this table:
# seeds: 1 2
set -u
bin=$1 folder=$2
network=${NET:-resnet-8} limit=${LIMIT:-1500} epochs=${EPOCHS:-6} gates=${GATES:-gates:strength=0.3,least=0.6,first=0.8}

# NAME SEED NET EPOCHS POLICIES [MORE]: trains and scores, once: "energy in mJ, seconds, accuracy, part of the work of a step" in a file
trained() {
	name=$1 seed=$2 net=$3 n=$4 policies=$5 at=$folder/$1-$2
	shift 5
	[ -s "$at.said" ] && return
	("$bin" train "$net" --data cifar10-jpeg --limit "$limit" --epochs "$n" --policies "$policies" --valid no --threads 1 --seed "$seed" --json -v "$@" -o "$at.cop" >"$at.json" 2>"$at.log" || exit 1; times) | tail -n 1 >"$at.times" || return 1
	samples=$(sed -n 's/.*"trained_samples":\([0-9]*\).*/\1/p' "$at.json")
	part=$(sed -n 's/.*was done, \([0-9.]*\) % of all.*/\1/p' "$at.log" | tail -1)
	energy=$("$bin" inspect "$net" --json | sed -n 's/.*"energy_nj_estimate":\([0-9.]*\).*/\1/p')
	accuracy=$("$bin" eval "$at.cop" --data cifar10-jpeg --limit "${TEST:-5000}" --threads 1 | awk '/^accuracy/ { print $2 }')
	awk -v samples="$samples" -v part="${part:-100}" -v energy="$energy" -v accuracy="$accuracy" '{ for (i = 1; i <= 2; i++) { split($i, t, "[ms]"); s += 60 * t[1] + t[2] } print 3e-6 * energy * samples * part / 100, s, accuracy, part }' "$at.times" >"$at.part" &&
		[ -n "$samples" ] && [ -n "$accuracy" ] && mv "$at.part" "$at.said"
}

field() { awk -v k="$3" '{ print $k }' "$folder/$1-$2.said"; } # NAME SEED FIELD

# NAME SEED: the part with which each block runs by chance before the last quarter, in which all do, so that as much is done (GATES may not set `until`). Those gates learn nothing.
chance() { sed -n 's/.*gates: \([0-9.]*\) % of the work that can be left out.*/\1/p' "$folder/$1-$2.log" | tail -1 | awk '{ p = ($1 / 100 - 0.25) / 0.75; print (p < 0.02 ? 0.02 : (p > 0.98 ? 0.98 : p)) }'; }
# NAME SEED: whole epochs of plain training that take as much energy
as_much() { awk -v n="$epochs" -v all="$(field plain "$2" 1)" '{ e = sprintf("%.0f", n * $1 / all); print (e > 1 ? e : 1) }' "$folder/$1-$2.said"; }

for s in $SEEDS; do
	trained plain "$s" "$network" "$epochs" none && trained skip "$s" "$network" "$epochs" skip-batches && trained half "$s" "$network" $((epochs / 2)) none && trained gates "$s" "$network" "$epochs" "$gates" &&
		trained chance "$s" "$network" "$epochs" "gates:strength=0,learn=no,first=$(chance gates "$s")" && trained as-gates "$s" "$network" "$(as_much gates "$s")" none &&
		trained both "$s" "$network" "$epochs" "$gates; skip-batches" && trained as-both "$s" "$network" "$(as_much both "$s")" none &&
		trained recipe "$s" airbench-0.25 "${RECIPE_EPOCHS:-2}" "whiten:samples=1000; lookahead:steps=5,part=0.226,power=3,means=yes" --batch 64 --lr 0.094 &&
		trained psg "$s" "$network" "$epochs" none --update "psg decay=5e-4" --lr 0.01 || exit 1
done

row() { # LABEL NAME
	for s in $SEEDS; do cat "$folder/plain-$s.said" "$folder/$2-$s.said" | paste - -; done | awk -v label="$1" -v name="$2" '
		{ d = $7 - $3; a += $7; all += d; e += $5; s += $6; of += $5 / $1; took += $6 / $2; p += $8; if (NR == 1 || d < lo) lo = d; if (NR == 1 || d > hi) hi = d }
		END { printf "| %s | %.2f %% | %+.2f (%+.2f to %+.2f) | %.0f %%", label, a / NR, all / NR, lo, hi, p / NR
			if (name == "psg") printf " | | "; else printf " | %.0f | %+.0f %% ", e / NR, 100 * (of / NR - 1)
			printf "| %.1f | %+.0f %% |\n", s / NR, 100 * (took / NR - 1) }'
}

cat <<TEXT
$network, $limit samples of cifar10-jpeg (a lossy copy of CIFAR-10), $epochs epochs. Accuracy is on the first ${TEST:-5000} test images. The difference is to plain training with the same seed: its mean, least and most. The rate falls
to zero within each training, so fewer epochs are a whole schedule, only shorter. Energy is an estimate: 32-bit multiplications and additions of the layers.

| training | accuracy | points against plain | work of a step | energy, mJ | against plain | CPU seconds | against plain |
|---|---:|---:|---:|---:|---:|---:|---:|
TEXT
row "plain" plain
row "\`skip-batches\`: half of them" skip
row "as much energy: half of the epochs" half
row "\`$gates\`" gates
row "as much work: blocks by chance" chance
row "as much energy: fewer epochs" as-gates
row "gates and \`skip-batches\`" both
row "as much energy: fewer epochs" as-both
row "\`psg\`, rate 0.01: counted at no energy here" psg
row "the recipe: \`airbench-0.25\`, ${RECIPE_EPOCHS:-2} epochs" recipe
