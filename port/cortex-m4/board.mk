# SPDX-License-Identifier: Apache-2.0
CPU = -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16
MACHINE = mps2-an386
