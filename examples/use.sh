#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Five jobs of small devices, from data to C on a board. docs/uses.md tells about each.
#
#   examples/use.sh keyword     which of ten words was said             sounds of fsdd
#   examples/use.sh wake        is there an animal in the picture?      cifar10-jpeg, a lossy copy of CIFAR-10
#   examples/use.sh digit       which digit is it                       mnist, or drawn digits where that is missing
#   examples/use.sh anomaly     is this sound the normal one?           sounds of fsdd
#   examples/use.sh detector    which digit is where in the picture     drawn scenes
#
# A second word is the folder that everything goes into (build/uses/JOB). SEED=2: another seed. `coppice` has to be found: export PATH=$PWD/build:$PATH
# Each job trains a network, compresses it for a Cortex-M4 with at most DROP points lost (1), emits it as C, runs that emulated where a compiler for it and
# QEMU are installed, and draws a page. What is done is not done again.
set -eu

job=${1:-}
samples= only= train= compress= drop=
case $job in
keyword)
	net=ds-cnn data=fsdd ;;
wake)
	net=mobilenet-v1-0.25@32 data=cifar10-jpeg samples='--group=animal=bird,cat,deer,dog,frog,horse;vehicle=*'
	train='--limit 20000 --epochs 12 --lr 0.1' compress='--limit 20000 --epochs 3' ;;
digit)
	net=lenet-5 data=digits train='--epochs 5' compress='--limit 12000 --epochs 2' ;;
anomaly)
	net=mlp-490x128x16x128x490 data=fsdd only='--only=7'
	train='--task rebuild --update adam --lr 0.001 --epochs 100'
	compress='--update adam --lr 0.001 --epochs 100' drop=${DROP:-10} ;;
detector)
	net=$(dirname "$0")/detector.txt data=synth-scenes train='--update adam --lr 0.003 --epochs 12'
	compress='--update adam --lr 0.002 --epochs 6' drop=${DROP:-10} ;;
*)
	sed -n '3,13s/^# \{0,1\}//p' "$0" >&2
	exit 2 ;;
esac
out=${2:-build/uses/$job}
seed=${SEED:-1} drop=${drop:-${DROP:-1}}
mkdir -p "$out"
say() { printf '\n== %s\n' "$*"; }
resume() { [ ! -e "$1" ] || echo --resume; } # a run that was stopped goes on

say "1/5 training $net on $data"
[ -s "$out/net.cop" ] || coppice train "$net" --data $data ${samples:+"$samples"} $only ${train:-} --seed "$seed" $(resume "$out/net.cop.ckpt") -o "$out/net.cop"

say "2/5 compressing it for a Cortex-M4, losing at most $drop"
[ -s "$out/small.cop" ] || coppice compress "$out/net.cop" --data $data ${samples:+"$samples"} $only --target cortex-m4 --max-drop "$drop" ${compress:-} --seed "$seed" $(resume "$out/small.ckpt") -o "$out/small.cop"

say "3/5 before and after, on the test part"
if [ "$job" = anomaly ]; then
	for file in net small; do coppice eval "$out/$file.cop" --data $data --normal "${only#*=}" --json >"$out/$file.json"; done
	coppice eval "$out/net.cop" --data $data --normal "${only#*=}"
	coppice eval "$out/small.cop" --data $data --normal "${only#*=}"
else
	for file in net small; do coppice eval "$out/$file.cop" --data $data ${samples:+"$samples"} --json >"$out/$file.json"; done
	coppice compare "$out/net.cop" "$out/small.cop" --data $data ${samples:+"$samples"}
fi
for file in net small; do coppice bench "$out/$file.cop" --batch 1 --threads 1 --seconds 1; done

say "4/5 as C for a Cortex-M4"
for file in net small; do
	coppice emit "$out/$file.cop" --target cortex-m4 --quiet -o "$out/$file"
	if command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null; then coppice check "$out/$file"; fi
done

say "5/5 a page about it"
coppice report "$out/small.cop" -o "$out/report.html"
echo "$out/small is the folder for your firmware"
