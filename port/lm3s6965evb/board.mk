# SPDX-License-Identifier: Apache-2.0
CPU = -mcpu=cortex-m3 -mthumb
MACHINE = lm3s6965evb
