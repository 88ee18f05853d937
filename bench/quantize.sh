#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tables of docs/quantization.md: every scheme with every range of activations, rounding to the nearest beside adaround, as the
# integer engine scores them on the whole test set.
#   bench/quantize.sh NET.cop DATA [OPTION...]       options go to every `coppice quantize`
# The nets:  coppice train resnet-8 --data cifar10-jpeg --epochs 30 --augment flip,crop=4 -o r8.cop
#            coppice train ds-cnn --data fsdd --epochs 40 --augment normalise,shift=2 -o ds.cop
# cifar10-jpeg is a lossy copy of CIFAR-10: compare within it only. COPPICE names the program.
[ $# -ge 2 ] || { sed -n 3,8p "$0"; exit 2; }
net=$1 data=$2
shift 2
coppice=${COPPICE:-coppice}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# scheme, range and rounding of one line; prints accuracy, points lost, loss
line()
{
	"$coppice" quantize "$net" --data "$data" --eval --json -o "$work/q.cop" "$@" >"$work/j" || exit 1
	python3 - "$work/j" <<'P'
import json, sys
j = json.load(open(sys.argv[1]))
a, b = j["before"], j["after"]
print("| %.2f %% | %+.2f | %.4f | %s |" % (100 * b["accuracy"], 100 * (b["accuracy"] - a["accuracy"]), b["loss"], format(b["flash_bytes"], ",")))
P
}

echo "| scheme | range | rounding | accuracy | points | loss | bytes of weights |"
echo "|---|---|---|---|---|---|---|"
for scheme in w8a8 w4a8 w4a4; do
	for range in minmax percentile mse kl; do
		printf '| %s | %s | nearest %s\n' $scheme $range "$(line --scheme $scheme --range $range "$@")"
		printf '| %s | %s | adaround, bias-correct %s\n' $scheme $range "$(line --scheme $scheme --range $range --round adaround --bias-correct "$@")"
	done
done
printf '| w8a8, per tensor | mse | nearest %s\n' "$(line --per tensor "$@")"
printf '| w4a8, per tensor | mse | nearest %s\n' "$(line --per tensor --scheme w4a8 "$@")"
printf '| w8a8, symmetric | mse | nearest %s\n' "$(line --symmetric "$@")"
for scheme in w8 fp16; do # last: slow on a host, where the portable kernels decode weights as they go
	printf '| %s | | | %s\n' $scheme "$(line --scheme $scheme | cut -c3-)"
done
