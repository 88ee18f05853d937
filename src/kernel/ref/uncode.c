/* SPDX-License-Identifier: Apache-2.0
 *
 * uncode - weights that are coded in flash (coded.h) to the bytes that a kernel reads, on any processor.
 */
#include "kernel/coded.h"

void cop_uncode(const void *code, void *to, void *work) { cop_coded_all(code, to, work); }
