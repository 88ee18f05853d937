/* SPDX-License-Identifier: Apache-2.0
 *
 * slices - the weights of a network as a part of those of a larger one: of channels the first, of kernels the middle
 * (Cai et al. 2020, arXiv 1908.09791). Weights are [out, kh, kw, in], so of four axes the two in the middle are a
 * kernel's; all other axes are channels.
 */
#include "search/search.h"

#include "pass/pass.h"

/* Where the small one begins in the large one along an axis. */
static int64_t begin(const cop_type *small, const cop_type *big, int32_t axis)
{
	return small->rank == 4 && (axis == 1 || axis == 2) ? (big->dim[axis] - small->dim[axis]) / 2 : 0;
}

/* Row by row of the last axis; at: the place of each row along the axes before. */
void cop__slice(const cop_tensor *small, const cop_tensor *big, bool to_small)
{
	const cop_type *s = &small->type, *b = &big->type;
	const int32_t last = s->rank - 1;
	const int64_t row = s->dim[last], rows = cop_type_count(s) / row;

	for (int64_t r = 0; r < rows; r++) {
		int64_t at = 0, rest = r, step = b->dim[last];
		for (int32_t i = last - 1; i >= 0; i--) {
			at += step * (rest % s->dim[i] + begin(s, b, i));
			rest /= s->dim[i];
			step *= b->dim[i];
		}
		float *in = (float *)small->data + r * row, *of = (float *)big->data + at + begin(s, b, last);
		if (to_small) memcpy(in, of, sizeof *in * (size_t)row);
		else memcpy(of, in, sizeof *in * (size_t)row);
	}
}

static bool may_share(const cop_value *v)
{
	return v->role >= COP_CONST && v->type.dtype == COP_F32 && v->type.rank;
}

cop_status cop__slice_graph(cop_graph *small, const cop_graph *big)
{
	for (cop_vid v = 1; v <= (cop_vid)small->n_value; v++) {
		const cop_vid from = may_share(cop__v(small, v)) ? cop__find(big, cop__v(small, v)->name) : 0;
		if (!from || !may_share(cop__v(big, from)) || !cop__floats(big, from) ||
		        cop__t(big, from)->rank != cop__t(small, v)->rank)
			continue;
		const cop_tensor b = {*cop__t(big, from), (void *)(uintptr_t)cop__floats(big, from)},
		                 s = {*cop__t(small, v), cop__own(small, v)};
		if (!s.data) return COP_NOMEM;
		cop__slice(&s, &b, true);
	}
	return COP_OK;
}
