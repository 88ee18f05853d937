#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every table of results has a script that says what it shows, and either a page or the words "not measured yet" in docs/results/README.md, which is
# what `bench/results.sh --index` writes; every page says by which command, from which seeds and when it was made.
# usage: results.sh SOURCE_FOLDER
set -u
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
bad=0 count=0
complain() { echo "$*"; bad=1; }

mkdir -p "$work/docs" && cp -r "$1/bench" "$work/bench" && cp -r "$1/docs/results" "$work/docs/results" || exit 2
"$work/bench/results.sh" --index || complain "bench/results.sh --index fails"
diff "$1/docs/results/README.md" "$work/docs/results/README.md" || complain "docs/results/README.md is not what bench/results.sh --index writes: run it"
"$work/bench/results.sh" --list >"$work/list"
for script in "$1"/bench/results/*.sh; do
	name=${script##*/} name=${name%.sh} count=$((count + 1))
	[ -x "$script" ] || complain "bench/results/$name.sh may not be run: chmod +x"
	grep -q "^$name  *[A-Z]..." "$work/list" || complain "bench/results/$name.sh: its third line does not say what the table shows"
	sh -n "$script" 2>/dev/null || head -1 "$script" | grep -q bash || complain "bench/results/$name.sh is no script"
done
for page in "$1"/docs/results/*.md; do
	name=${page##*/} name=${name%.md}
	[ "$name" != README ] || continue
	[ -f "$1/bench/results/$name.sh" ] || complain "docs/results/$name.md: there is no script bench/results/$name.sh"
	[ "$(head -1 "$page")" = "# $name" ] || complain "docs/results/$name.md: its title is not its name"
	for say in "bench/results.sh $name\$" '^- seeds: [0-9]' '^- date: 20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]$' '^- machine: ' '^|---|'; do
		grep -q -e "$say" "$page" || complain "docs/results/$name.md has no line like '$say'"
	done
done
echo "$count tables"
[ $count -gt 0 ] && [ $bad = 0 ]
