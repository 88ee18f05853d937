#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests again, in a program whose locale has decimal commas; it is made here, if localedef and its sources are installed. Then what
# the program writes there is what it writes elsewhere.
# usage: locale.sh SET_LOCALE.so COPPICE TEST...
shim=$1 coppice=$2
shift 2
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
localedef -i de_DE -f UTF-8 "$dir/de_DE.UTF-8" >/dev/null 2>&1
[ -d "$dir/de_DE.UTF-8" ] || { echo "skipped: localedef cannot make de_DE.UTF-8 here"; exit 77; }
german() { LOCPATH=$dir LC_ALL=de_DE.UTF-8 LD_PRELOAD=$shim "$@"; }
for test in "$@"; do
	german "$test" >"$dir/log" 2>&1 || { echo "$test in de_DE.UTF-8:"; cat "$dir/log"; exit 1; }
done
for where in plain german; do
	mkdir "$dir/$where"
	run=; [ $where = german ] && run=german
	( cd "$dir/$where" && {
		$run "$coppice" apply lenet-5 dce -o a.cop && $run "$coppice" emit a.cop --target host -o code &&
			$run "$coppice" apply a.cop batch:n=2 -o b.cop && $run "$coppice" export b.cop -o b.onnx
	} ) >"$dir/log" 2>&1 || { echo "$where:"; cat "$dir/log"; exit 1; }
done
diff -r "$dir/plain" "$dir/german" || exit 1
