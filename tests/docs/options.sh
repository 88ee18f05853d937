#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every verb and every long option that a command line of the documentation shows must be in `coppice --help` or in the verb's.
# usage: options.sh SOURCE_FOLDER path/to/coppice
set -u
bin=$(cd "$(dirname "$2")" && pwd)/${2##*/}
cd "$1" || exit 2
help=$(mktemp -d) && trap 'rm -rf "$help"' EXIT
"$bin" --help >"$help/all"
bad=0 count=0

# PAGE VERB OPTION..., one line each command; comments and what follows a pipe are no part of it
for page in README.md docs/*.md bench/README.md; do
	grep -o '\(^\|[ `$]\)coppice [a-z]\+\b[^`|#]*' "$page" | sed "s/^[ \`\$]*coppice //; s|^|$page |" | awk '{ s = $1 " " $2; for (i = 3; i <= NF; i++) if ($i ~ /^--[a-z]/) { sub(/[^-a-z0-9].*/, "", $i); s = s " " $i } print s }'
done >"$help/lines"
while read -r page verb options; do
	if ! grep -q "^  $verb  *" "$help/all"; then
		[ -z "$options" ] || { echo "$page: coppice has no verb $verb"; bad=1; }
		continue
	fi
	[ -f "$help/$verb" ] || "$bin" "$verb" --help >"$help/$verb"
	for o in $options; do
		count=$((count + 1))
		grep -q -e "$o\>" "$help/$verb" || { echo "$page: coppice $verb has no option $o"; bad=1; }
	done
done <"$help/lines"
echo "$count options of $(wc -l <"$help/lines") commands"
[ $count -gt 20 ] && [ $bad = 0 ]
