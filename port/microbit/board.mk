# SPDX-License-Identifier: Apache-2.0
CPU = -mcpu=cortex-m0 -mthumb
MACHINE = microbit
