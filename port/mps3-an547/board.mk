# SPDX-License-Identifier: Apache-2.0
CPU = -mcpu=cortex-m55 -mthumb -mfloat-abi=hard
MACHINE = mps3-an547
