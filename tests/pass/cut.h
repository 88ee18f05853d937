/* SPDX-License-Identifier: Apache-2.0
 *
 * cut.h - what the tests of removed channels share: the whole network with those channels at zero.
 */
#ifndef TESTS_PASS_CUT_H
#define TESTS_PASS_CUT_H

#include "help.h"
#include "pass/pass.h"

/* Sets what the groups in drop hold to zero in all f32 weights. */
static inline void zero_items(cop_graph *g, const cop_groups *s, const uint8_t *drop)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		cop_value *x = &g->value[v];
		if (x->producer || !x->data || x->role < COP_CONST || x->type.dtype != COP_F32) continue;
		float *d = cop__own(g, (cop_vid)v);
		for (int64_t i = 0, n = cop_type_count(&x->type); i < n; i++) {
			int64_t rest = i;
			for (int a = x->type.rank - 1; a >= 0; a--) {
				if (drop[cop__group_of(s, (cop_vid)v, a, (int32_t)(rest % x->type.dim[a]))]) d[i] = 0;
				rest /= x->type.dim[a];
			}
		}
	}
}

#endif
