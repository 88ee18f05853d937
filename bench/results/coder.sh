#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The coders of .cop files on the same weights: Deep Compression's code, the Huffman coder, a tuned static code and the range coder of mixed contexts
# It takes the networks that the table `smallest` has made, from the folder `smallest` beside its own; make that table first.
set -u
bin=$1 folder=$2
measure=$(dirname "$bin")/bench_coder
[ -x "$measure" ] || { echo "coder: $measure is not there; build the target bench_coder" >&2; exit 1; }
nets=$(ls "$folder"/../smallest/*-smallest-*.cop 2>/dev/null) || { echo "coder: there are no networks in $folder/../smallest; make the table smallest first" >&2; exit 1; }
cat <<'TEXT'
Bytes of the weights (without biases), with tables and codebooks. "5 bits": Huffman over values and distances of 5 bits, as Deep Compression stores them. "Huffman": coder 1 of
[formats.md](../formats.md), which looks for the best width of distances. "static": classes of distances and values under Huffman, the better scan. "range": coder 3.

| network | not zero | 5 bits | Huffman | static | range | over 5 bits | over Huffman | over static |
|---|---|---|---|---|---|---|---|---|
TEXT
# shellcheck disable=SC2086
"$measure" $nets
