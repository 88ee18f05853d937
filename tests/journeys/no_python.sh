#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From pictures by class, and from a table, to a board, with a shell and nothing else: pictures of crosses, discs and squares are drawn
# by awk, looked at, learned, scored by class, compressed, quantised, predicted and emitted; then a table with names of classes and
# one with prices. usage: no_python.sh path/to/coppice BUILD
. "${0%/*}/journey.sh"
board=cortex-m4
has arm-none-eabi-gcc qemu-system-arm || board=host
[ $board = cortex-m4 ] || echo "arm-none-eabi-gcc or qemu-system-arm is not here: the C runs on this machine"

# NET FOLDER: to the board, with the same bits.
to_board() {
	go coppice emit "$1" --target $board -o "$2"
	go coppice check "$2"
	says 'same bits as on this machine'
}

mkdir -p pictures/cross pictures/disc pictures/square
awk 'BEGIN {
	split("cross disc square", name, " ")
	srand(7)
	for (k = 1; k <= 3; k++) for (n = 100; n < 200; n++) {
		file = "pictures/" name[k] "/" n ".ppm"
		cx = 5 + int(rand() * 6); cy = 5 + int(rand() * 6); r = 3 + int(rand() * 2)
		print "P3 16 16 255" >file
		for (y = -cy; y < 16 - cy; y++) for (x = -cx; x < 16 - cx; x++) {
			within = x * x <= r * r && y * y <= r * r
			on = k == 1 ? within && x * x == y * y : k == 2 ? x * x + y * y <= r * r : within
			v = (on ? 190 : 20) + int(rand() * 40)
			print v, v, int(v / 2) >file
		}
		close(file)
	}
}' </dev/null
go coppice data check pictures
says '^pictures: samples of 16x16x3; '
for class in cross disc square; do says "^  $class "; done
go coppice train lenet-5 --data pictures --epochs 25 -o net.cop
go coppice eval net.cop --data pictures --per-class --confusion
for class in cross disc square; do says "^$class .*\."; done
right=$(number accuracy)
[ "${right%.*}" -ge 75 ] || fail "$right % is poor"
small=net.cop
if coppice --version | grep -q yaml; then
	small=small.cop
	cat >recipe.yaml <<'YAML'
name: small
stages:
  - prune: {keep: 0.4, epochs: 20, may_cost: 10, must_gain: 1.5}
  - share: {levels: 128, epochs: 5, update: adam, lr: 0.001, may_cost: 10, must_gain: 1.1}
  - encode: {codec: smallest}
YAML
	go coppice compress net.cop --recipe recipe.yaml --data pictures -o small.cop
	says ' stages kept, 0 undone'
	[ "$(wc -c <small.cop)" -lt $(($(wc -c <net.cop) / 3)) ] || fail "small.cop is not small"
else
	echo "left out: compress, whose recipes need libyaml"
fi
go coppice predict $small pictures/cross/10*.ppm --top 2
[ "$(grep -c ':  cross' said)" -ge 9 ] || fail "crosses are not known"
to_board $small small
go coppice quantize net.cop --data pictures --int8-io -o int8.cop
to_board int8.cop int8
grep -q 'NET_INPUT_SCALE' int8/net.h && grep -q '"disc"' int8/net.c || fail "int8/net.h has no scale, or int8/net.c no names"

awk -v OFS=, 'BEGIN {
	split("spring summer winter", name, " "); split("12 25 0", t, " "); split("60 30 45", r, " ")
	srand(4)
	print "temperature,rain,season"
	for (i = 0; i < 600; i++) { k = 1 + int(rand() * 3); print t[k] + 8 * (rand() - 0.5), r[k] + 20 * (rand() - 0.5), name[k] }
}' </dev/null >season.csv
go coppice data check season.csv
says '^  winter '
go coppice train mlp-2x16x3 --data season.csv -o season.cop
go coppice eval season.cop --data season.csv --per-class
right=$(number accuracy)
[ "${right%.*}" -ge 95 ] || fail "$right % is poor"
printf 'temperature,rain\n26,28\n-2,44\n' >today.csv
go coppice predict season.cop today.csv
says 'sample 0:  summer'
says 'sample 1:  winter'
to_board season.cop season

awk -v OFS=, 'BEGIN {
	srand(3)
	print "width,height,price"
	for (i = 0; i < 400; i++) { w = 1 + 9 * rand(); h = 1 + 9 * rand(); print w, h, 1000 + 300 * w + 200 * h + 5 * w * h + 10 * rand() }
}' </dev/null >houses.csv
go coppice train mlp-2x16x1 --data houses.csv -o houses.cop
says 'price.* is regression'
go coppice eval houses.cop --data houses.csv
right=$(sed -n 's/.*R2 \([0-9.]*\).*/\1/p' said)
awk -v r="$right" 'BEGIN { exit !(r > 0.98) }' || fail "R2 of $right is poor"
printf 'width,height\n5,5\n' >one.csv
go coppice predict houses.cop one.csv
awk -v y="$(sed -n 's/.*price //p' said)" 'BEGIN { exit !(y > 3300 && y < 3960) }' || fail "5 by 5 costs 3630"
to_board houses.cop houses
