#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What kinds of int8 layers cost on an emulated Cortex-M4: instructions (exact) a multiplication, by the kernel that a plan
# would choose and by the portable one. Needs arm-none-eabi-gcc and qemu-system-arm.
# usage: bench/layers.sh [known|sparse]     known: layers of MLPerf Tiny's networks; sparse: with more and more weights that are zero
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
which=kinds
[ "$1" = known ] && which=
[ "$1" = sparse ] && which=sparse
sed 's/BOARD_FLASH/4M/;s/BOARD_RAM/4M/;s/BOARD_FAST/0/g' port/cortex-m4/board.ld >"$out/board.ld"
arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -O2 -Isrc -Iport/common -Iport/cortex-m4 -ffunction-sections -fdata-sections \
	tests/kernel/cortexm/layers.c src/kernel/cortexm/*.c src/kernel/ref/qconv.c src/kernel/ref/qeltwise.c src/kernel/ref/qpool.c port/cortex-m/io.c port/cortex-m/start.c \
	-nostartfiles --specs=nano.specs --specs=nosys.specs -Wl,--gc-sections,--no-warnings,--defsym=end=ld_bss_end -Lport/cortex-m -T "$out/board.ld" -o "$out/layers.elf" || exit 1
qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -icount shift=7,align=off,sleep=off \
	-semihosting-config "enable=on,target=native,arg=layers${which:+,arg=$which}" -kernel "$out/layers.elf" >"$out/said" 2>&1 || { cat "$out/said"; exit 1; }
printf '| layer | kernel | instructions a multiplication | portable | scratch, bytes |\n|---|---|---:|---:|---:|\n'
sed -n 's/^\(.*\): \([0-9]*\)  *\([a-z0-9_]*\)  *[0-9a-f]* \([0-9]*\) instructions, portable \([0-9]*\), scratch \([0-9]*\),.*/\1|\2|\3|\4|\5|\6/p' "$out/said" |
	awk -F'|' '{printf "| %s | %s | %.2f | %.1f | %d |\n", $1, $3, $4 / $2, $5 / $2, $6}'
