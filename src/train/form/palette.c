/* SPDX-License-Identifier: Apache-2.0
 *
 * palette - weight sharing (arXiv 1510.00149, section 3): the weights of a layer that are not zero are clustered, each then is its cluster's
 * centroid, and the centroids are trained on. Code 0 is the zero of pruned weights and never moves.
 *
 * The weight is the result of a `palette` node over the PARAM "<weight>.codebook" and the CONST "<weight>.codes", so its gradient is summed by code.
 */
#include "train/form/palette.h"
#include "op/op.h"
#include "train/build.h"

static const cop_option table[] = {
	COP_OPT_WHOLE(cop_palette_options, levels, 2, 256, "32", "different values, the zero among them"),
	COP_OPT_WORD(cop_palette_options, init, COP_BEGINNINGS, "linear", "where they begin"),
	COP_OPT_WHOLE(cop_palette_options, width, 1, 4, "1", "neighbours that share a code"),
	COP_OPT_WHOLE(cop_palette_options, groups, 1, COP_MOST_GROUPS, "1", "groups of output channels, each with values of its own"),
	COP_OPT_END,
};

/* Each group of rows apart; of so many numbers, the last group may have fewer. */
static cop_status cluster_groups(cop_ctx *cx, float *book, uint8_t *codes, const cop_palette_options *a, const float *w, int64_t n, int64_t each)
{
	for (int64_t at = 0; at < n; at += each, book += a->levels) COP_TRY(cop__cluster(cx, book, codes + at, a, w + at, COP_MIN(each, n - at)));
	return COP_OK;
}

static cop_vid express(const cop_formed *f, cop_graph *g)
{
	const cop_palette_options *a = f->options;
	const float *w = cop__floats(f->model, f->w);
	cop_type code_t = *cop__t(f->model, f->w);

	code_t.dtype = COP_U8;
	if (w && a->width > 1) return cop__express_vectors(f, g);
	if (!w) return cop__error(g->cx, COP_ARG, "'%s' has no contents that could be clustered", f->model->value[f->w].name), 0;
	const int32_t rows = code_t.dim[0], groups = COP_MAX(a->groups, 1), each = (rows + groups - 1) / groups, books = (rows + each - 1) / each;
	const int64_t n = cop_type_count(&code_t);
	cop_type book_t = cop__type(COP_F32, 1, DIMS(books * a->levels));
	cop_vid c = cop__latent(f, g, COP_CONST, "codes", &code_t, NULL), b = c ? cop__latent(f, g, COP_PARAM, "codebook", &book_t, NULL) : 0;
	uint8_t *codes = b ? cop__own(g, c) : NULL;
	float *book = codes ? cop__own(g, b) : NULL;
	if (!book || cluster_groups(g->cx, book, codes, a, w, n, n / rows * each)) return 0;
	return cop__apply(g, OP_palette, &(cop_palette_attr){1, books > 1 ? books : 0}, VIDS(b, c));
}

const cop_form cop_form_palette = {
	.row = {"palette", "a few values, each shared by many weights", "Han et al. 2016, arXiv 1510.00149", table, sizeof(cop_palette_options)}, .express = express};
