#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Does what a page of the documentation says, in a folder that holds `recipes` alone, in the order of the page, until something fails:
#   ```LANGUAGE file=NAME   the block is written to the file NAME
#   ```sh run               each line is run and has to succeed
#   ```console run          a line that begins with "$ " is run and has to succeed, and prints the lines below it; where the block has
#                           a number there may be another one; a line "..." stands for any lines, and the hash in the name of an emitted kernel may differ
#   ```console exact        the same, to the last digit
#   ```console fails        as `run`, but the commands fail
#   ```LANGUAGE of=FILE     the lines are in FILE, in one piece, to the last digit
#   <!-- run                lines up to --> are run and are not shown to the reader
# usage: page.sh [--write] PAGE path/to/coppice [SOURCE_FOLDER]
# --write puts what the commands print today into the page (not into blocks with "..."): look at the difference before you commit it.
# Where something is missing that only some have, a sentence says what is done in its place:
#   PyTorch           net.onnx is a network that Coppice has trained and exported
#   compiler, QEMU    `coppice check` is left out
#   libyaml           the page ends at its first recipe, and counts as skipped
set -u
write=
[ "$1" != --write ] || { write=yes; shift; }
page=$(cd "$(dirname "$1")" && pwd)/${1##*/}
bin=$(cd "$(dirname "$2")" && pwd)
source=$(cd "${3:-$(dirname "$0")/../..}" && pwd)
PATH=$bin:$PATH
export source
unset COPPICE_ISA
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir "$work/here" && cd "$work/here" && ln -s "$source/recipes" recipes || exit 2

# The steps of the page: NUMBER.kind, NUMBER.text (a command, or the contents of a file), NUMBER.want (what a command prints).
awk -v to="$work" '
function begin(k) { n++; name = sprintf("%s/%04d.", to, n); print k >(name "kind"); close(name "kind"); printf "" >(name "text") }
function end() { if (n) { close(name "text"); close(name "want") } }
!on && /^<!-- run$/ { on = "hidden"; begin("run"); next }
on == "hidden" && /^-->$/ { on = ""; end(); next }
!on && /^```/ {
	on = "other"
	for (i = 2; i <= NF; i++) if ($i ~ /^(file|of)=/) { on = "file"; k = $i; sub(/=/, " ", k); begin(k); if (k ~ /^of/) print "..." >(name "text") }
	if ($1 == "```sh" && $2 == "run") on = "sh"
	if ($1 == "```console" && $2 ~ /^(run|exact|fails)$/) { on = "console"; mode = $2 }
	next
}
/^```$/ { end(); on = ""; next }
on == "file" || on == "hidden" { print >(name "text") }
on == "sh" && NF { if (!more) begin("run"); print >(name "text"); more = /\\$/; if (!more) end() }
on == "console" && /^\$ / { end(); begin(mode); print substr($0, 3) >(name "text"); printf "" >(name "want"); next }
on == "console" { print >(name "want") }
' "$page" </dev/null

has() { command -v "$1" >/dev/null; }

# STEP: runs its command; what it prints is in STEP.got
run() {
	case $(cat "$1.text") in
	'python3 net.py'*)
		if ! python3 -c 'import torch, numpy, onnx, onnxscript' 2>/dev/null; then
			echo "PyTorch is not here: a network of Coppice's own takes the place of net.py's"
			echo 'coppice train mlp-784x32x10 --data synth-digits --epochs 2 --quiet -o net.cop && coppice export net.cop -o net.onnx' >"$1.text"
		fi ;;
	*'coppice compress'*)
		if ! coppice --version | grep -q yaml; then
			echo "libyaml is not here: the rest of the page is left out"
			exit 77
		fi ;;
	*'coppice check'*)
		if ! has arm-none-eabi-gcc || ! has qemu-system-arm; then
			echo "arm-none-eabi-gcc or qemu-system-arm is not here: check is left out"
			return 77
		fi ;;
	esac
	sed 's/^/$ /; 1q' "$1.text"
	sh "$1.text" >"$1.got" 2>&1 </dev/null
}

# MODE WANT GOT: do the lines agree?
agree() {
	awk -v mode="$1" '
	function plain(s) {
		gsub(/_[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]/, "_0", s)
		if (mode != "exact") { gsub(/-?[0-9][0-9.,]*(e[-+]?[0-9]+)?/, "0", s); gsub(/0x[0-9a-f]+/, "0", s) }
		if (mode != "exact") gsub(/[ \t]+/, " ", s)
		sub(/ +$/, "", s)
		return s
	}
	FNR == NR { want[++w] = plain($0); next }
	{ got[++g] = plain($0) }
	END {
		at = 1; open = 0
		for (i = 1; i <= w; i++) {
			if (want[i] == "...") { open = 1; continue }
			while (open && at <= g && got[at] != want[i]) at++
			if (at > g || got[at] != want[i]) exit 1
			at++; open = 0
		}
		exit !(open || at > g)
	}' "$2" "$3"
}

count=0
for step in "$work"/[0-9]*.kind; do
	[ -f "$step" ] || break
	step=${step%.kind}
	read -r kind file <"$step.kind"
	case $kind in
	file)
		cp "$step.text" "$file"
		continue ;;
	of)
		echo ... >>"$step.text"
		agree exact "$step.text" "$file" && continue
		cat "$step.text"
		echo "${page##*/}: these lines are not in $file"
		exit 1 ;;
	esac
	count=$((count + 1))
	run "$step"
	code=$?
	[ $code != 77 ] || continue
	if [ "$kind" = fails ]; then [ $code = 0 ] && code=1 || code=0; fi
	if [ $code != 0 ]; then
		cat "$step.got"
		echo "${page##*/}: failed: $(cat "$step.text")"
		exit 1
	fi
	[ -f "$step.want" ] && [ -z "$write" ] || continue
	if ! agree "$kind" "$step.want" "$step.got"; then
		diff "$step.want" "$step.got"
		echo "${page##*/}: prints something else (<: the page, >: the command): $(cat "$step.text")"
		echo "where the new output is right: tests/docs/page.sh --write ${page#"$source"/} build/coppice"
		exit 1
	fi
done
echo "${page##*/}: $count commands"
[ -n "$write" ] || exit 0

# The page again, with what each command printed.
awk -v from="$work" '
function flush(   line, file, any) {
	if (!shown) return
	file = sprintf("%s/%04d.got", from, n)
	if (held ~ /(^|\n)\.\.\.\n/) printf "%s", held
	else { any = 0; while ((getline line <file) > 0) { sub(/ +$/, "", line); print line; any = 1 } if (!any && held != "") printf "%s", held }
	shown = 0; held = ""
}
!on && /^<!-- run$/ { on = "hidden"; n++; print; next }
on == "hidden" && /^-->$/ { on = ""; print; next }
!on && /^```/ {
	on = "other"
	for (i = 2; i <= NF; i++) if ($i ~ /^(file|of)=/) { on = "file"; n++ }
	if ($1 == "```sh" && $2 == "run") on = "sh"
	if ($1 == "```console" && $2 ~ /^(run|exact|fails)$/) on = "console"
	print; next
}
/^```$/ { flush(); on = ""; print; next }
on == "sh" && NF { if (!more) n++; more = /\\$/ }
on == "console" && /^\$ / { flush(); n++; shown = 1; print; next }
on == "console" && shown { held = held $0 "\n"; next }
{ print }
' "$page" >"$work/page" </dev/null && cat "$work/page" >"$page"
