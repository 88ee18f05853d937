/* SPDX-License-Identifier: Apache-2.0
 *
 * stack - the shape of what a network on more samples than it is written for gives.
 */
#include "cli.h"

void cli_stacked(cop_type *t, int32_t held, int32_t n)
{
	if (t->rank && t->dim[0] == held) {
		t->dim[0] = n;
	} else if (t->rank == COP_MAX_DIM) {
		t->dim[0] *= n / held;
	} else {
		for (int i = t->rank++; i > 0; i--) t->dim[i] = t->dim[i - 1];
		t->dim[0] = n / held;
	}
}
