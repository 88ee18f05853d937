#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every link of the documentation to a file or a heading of the project leads there, and every file that a page names between backquotes
# exists: from the root, or below src/. Names in capitals (`src/op/NAME.c`), stars and <> are patterns and are not looked for.
# usage: links.sh SOURCE_FOLDER
set -u
cd "$1" || exit 2
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
bad=0 count=0

# The anchors that GitHub gives the headings of a page.
anchors() {
	awk '/^```/ { code = !code } !code && /^#+ / { sub(/^#+ /, ""); s = tolower($0); gsub(/`/, "", s); gsub(/[^a-z0-9_ -]/, "", s); gsub(/ /, "-", s); print s }' "$1"
}
complain() { echo "$*"; bad=1; }

for page in README.md docs/*.md docs/results/*.md bench/README.md src/README.md src/*/README.md; do
	[ -f "$page" ] || continue
	folder=$(dirname "$page")
	# text outside blocks of code
	awk '/^```/ { code = !code; next } !code' "$page" >"$work/text"
	grep -o '](\([^)]*\))' "$work/text" | sed 's/^](//; s/)$//' | grep -v '^[a-z]*://' >"$work/links"
	while read -r link; do
		count=$((count + 1))
		file=${link%%#*} anchor=
		[ "$file" = "$link" ] || anchor=${link#*#}
		if [ -z "$file" ]; then file=$page; else file=$folder/$file; fi
		if [ ! -e "$file" ]; then complain "$page: the link to $link leads nowhere"; continue; fi
		[ -z "$anchor" ] || anchors "$file" | grep -qx -e "$anchor" || complain "$page: $link: there is no such heading"
	done <"$work/links"
	grep -o '`[A-Za-z0-9_./-]*`' "$work/text" | tr -d '`' | grep '/' | grep -E '^(src|tests|docs|tools|bench|examples|port|recipes|include|cmake)/|\.(c|h|def|sh|py|md)$' |
		grep -v -e '[A-Z][A-Z]' -e '^/' | sort -u >"$work/files"
	while read -r file; do
		count=$((count + 1))
		[ -e "$file" ] || [ -e "src/$file" ] || [ -e "$folder/$file" ] || complain "$page: names $file, which does not exist"
	done <"$work/files"
done
# A README of a folder names files of that folder.
for page in src/*/README.md; do
	grep -o '`[a-z0-9_]*\.[a-z]*`' "$page" | tr -d '`' | grep -E '\.(c|h|def)$' | while read -r file; do
		[ -n "$(find "${page%README.md}" -name "$file" | head -1)" ] || [ -e "include/$file" ] || echo "$page: names $file, which is not in its folder"
	done
done >"$work/wrong"
[ ! -s "$work/wrong" ] || { cat "$work/wrong"; bad=1; }
# Every folder of src has a README, which says what the folder may use as tools/layers.sh does.
for folder in src/*/; do
	page=${folder}README.md name=$(basename "$folder")
	[ -f "$page" ] || { complain "$page: is missing"; continue; }
	says=$(sed -n 's/^May use: //p' "$page" | grep -o '`[a-z]*`' | tr -d '`' | tr '\n' ' ')
	may=$(sed -n 's/.*may\["'"$name"'"\] = "\([^"]*\)".*/\1/p' tools/layers.sh)
	[ "${says% }" = "$may" ] || complain "$page: may use '$may' by tools/layers.sh, the page says '${says% }'"
done
# Every page can be reached from the README.
for page in docs/*.md; do grep -q "$page" README.md || complain "README.md does not name $page"; done
echo "$count links and files"
[ $count -gt 40 ] && [ $bad = 0 ]
