#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What tables of the transfer task share (bench/results/transfer.sh, errors.sh), which read this file: bin, folder, epochs, rate and here are set.
# The backbone is the int8 MobileNetV2-0.35 of `tiny-training` (Lin et al. 2022), with a new last layer. The task: five classes of cifar10-jpeg, a lossy copy of CIFAR-10, enlarged
# to 128x128: 1,500 pictures to learn from, 1,000 to test. One sample a step.
tiny=${COPPICE_MODELS:-models}/mcunet/tiny-training

pictures() {
	[ ! -s "$folder/five/y_test.npy" ] || return 0
	mkdir -p "$folder/five"
	for part in train test; do "$bin" data export cifar10-jpeg --split $part --limit 4000 -o "$folder/x_$part.npy" --labels "$folder/y_$part.npy" -q || return 1; done
	python3 - "$folder" <<'P'
import sys
import numpy as np
at = sys.argv[1]
for part, n in (("train", 1500), ("test", 1000)):
    x, y = np.load(f"{at}/x_{part}.npy"), np.load(f"{at}/y_{part}.npy")
    few = np.flatnonzero(y < 5)[:n]
    np.save(f"{at}/five/x_{part}.npy", (np.repeat(np.repeat(x[few], 4, 1), 4, 2) * 255).round().astype(np.uint8))
    np.save(f"{at}/five/y_{part}.npy", y[few].astype(np.int32))
P
}

head="head*"
bias="conv35.b|conv36.b|conv37.b|conv38.b|conv39.b|conv4*.b|conv50.b|head*"
small="conv35.b|conv36.*|conv37.b|conv38.b|conv39.*|conv4*.b|conv50.b|head*"
large="conv26.b|conv27.*|conv28.b|conv29.b|conv3*.b|conv4*.b|conv50.b|conv30.w|conv33.w|conv36.w|conv39.w|conv48.w|head*"
last="conv45.*|conv46.*|conv47.*|conv48.*|conv49.*|conv50.*|head*"
early="conv06.*|conv09.*|head*"

all="conv*.w|conv*.b|head*"
few="conv42.b|conv43.b|conv44.b|conv45.b|conv46.b|conv47.b|conv48.b|conv49.b|conv50.b|head*"
depthwise="conv42.b|conv43.*|conv44.b|conv45.b|conv46.*|conv47.b|conv48.b|conv49.*|conv50.b|head*"

layers() { eval "echo \"\$$1\""; }

# What the layers up to conv41 give for each picture: none of them is trained, so it is computed once.
kept() {
	[ ! -s "$folder/kept/y_test.npy" ] || return 0
	mkdir -p "$folder/kept" && "$bin" apply "$folder/net-1.cop" front:at=conv41.w -o "$folder/front.cop" -q || return 1
	for part in train test; do
		python3 -c 'import sys, numpy as np; np.save(sys.argv[2], np.load(sys.argv[1]).astype(np.float32) / 255)' "$folder/five/x_$part.npy" "$folder/x.npy" || return 1
		"$bin" run "$folder/front.cop" "$folder/x.npy" --times 2 --mean 1 --reals -o "$folder/kept/x_$part.npy" -q && cp "$folder/five/y_$part.npy" "$folder/kept/" || return 1
	done
}

# NAME LAYERS OPTIONS SEED, and kept: the part behind conv41 alone; or floats: the network as floats that round, options being the rule
learn() {
	at=$folder/$1-$4 net=$folder/net-$4.cop data="$folder/five --times 2 --mean 1" rule="qsgd $3" lr=$rate
	[ -s "$folder/net-$4.onnx" ] || python3 "$here/tiny_training.py" "$tiny" 5 "$folder/net-$4.onnx" "$4" || return 1
	[ -s "$folder/net-$4.cop" ] || "$bin" apply "$folder/net-$4.onnx" fuse -o "$folder/net-$4.cop" -q 2>/dev/null || return 1
	[ "$5" != floats ] || { net=$folder/floats-$4.cop rule=${3#* } lr=${3%% *}; [ -s "$net" ] || "$bin" apply "$folder/net-$4.cop" floats -o "$net" -q; } || return 1
	[ "$5" != kept ] || { kept && net=$folder/back-$4.cop data=$folder/kept && "$bin" apply "$folder/net-$4.cop" back:at=conv41.w -o "$net" -q; } || return 1
	[ -s "$at.json" ] || {
		"$bin" train "$net" --data $data --update "$rule layers=$(layers "$2")" --epochs "$epochs" --lr "$lr" --batch 1 \
			--augment none --valid test --seed "$4" --threads 1 --json -o "$at.cop" 2>"$at.log" | tail -1 >"$at.part" && grep -q '"accuracy"' "$at.part" && mv "$at.part" "$at.json"
	} || { cat "$at.log" >&2; return 1; }
}

# LAYERS, and kept, and options of the rule: bytes of RAM and instructions of a step
cost() {
	at=$folder/cost-$1$(echo "${3:-}" | tr -c 'a-z0-9\n' -)
	[ -s "$at" ] || {
		"$bin" apply "$folder/net-1.cop" "int8_io${2:+ back:at=conv41.w}" -o "$folder/board.cop" -q && rm -rf "$at.c" &&
			"$bin" emit "$folder/board.cop" --train --update "qsgd layers=$(layers "$1") ${3:-}" --patch 0.3 --target cortex-m4 -o "$at.c" -q || return 1
		head -c 49152 /dev/zero >"$at.c/check/x.bin" && head -c 4 /dev/zero >"$at.c/check/label.bin"
		make -s -C "$at.c/check" >/dev/null 2>&1 && make -s -C "$at.c/check" run ARGS="train 1" >"$at.said" 2>&1 || return 1
		awk '/^ *data\+bss/ { ram += $2 } /^ *stack/ { ram += $2 } /^ *instructions/ { n = $2 } END { printf "%.1f KB | %.1f M", ram / 1024, n / 1e6 }' "$at.said" >"$at"
	}
	cat "$at"
}

row() { # LABEL NAME LAYERS OPTIONS KEPT; of the options, how errors are held changes what a step takes
	for seed in $SEEDS; do learn "$2" "$3" "$4" "$seed" "${5:-}" || exit 1; done
	[ "${5:-}" != floats ] && price=$(cost "$3" "${5:-}" "$(echo "$4" | grep -o "errors=.*")") || price="not counted | not counted"
	for seed in $SEEDS; do sed 's/.*"accuracy":\([0-9][0-9.]*\).*/\1/' "$folder/$2-$seed.json"; done | awk -v label="$1" -v price="$price" '
		{ v = 100 * $1; s += v; if (NR == 1 || v < lo) lo = v; if (NR == 1 || v > hi) hi = v }
		END { printf "| %s | %.2f %% (%.2f to %.2f) | %s |\n", label, s / NR, lo, hi, price }'
}
