/* SPDX-License-Identifier: Apache-2.0
 *
 * space - the table of spaces, and designs: drawn, made equal where their networks are, printed as a network's text.
 */
#include "search/search.h"

#include <stdio.h>

#define STEM(...) {__VA_ARGS__}
#define STAGES(n, ...)                                                                                                 \
	n,                                                                                                             \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}
#define SPAN(...)                                                                                                      \
	{                                                                                                              \
		LEN(((const int32_t[]){__VA_ARGS__})),                                                                 \
		{                                                                                                      \
			__VA_ARGS__                                                                                    \
		}                                                                                                      \
	}
#define DEPTH SPAN
#define KERNEL SPAN
#define EXPAND SPAN
#define PART SPAN
#define SCALE SPAN
#define SHRINK SPAN
static const cop_space spaces[] = {
#define SPACE(name, summary, source, block, like, stem, ...)                                                           \
	{{name, summary, source, NULL, 0}, like, cop__block_##block, stem, __VA_ARGS__},
#include "search/space.def"
};

const cop_space *cop__space(int i)
{
	return i >= 0 && i < LEN(spaces) ? &spaces[i] : NULL;
}

static const cop_row *row_at(int i)
{
	return cop__space(i) ? &spaces[i].row : NULL;
}
const cop_table cop__spaces = {"spaces", "space", "families of networks that `search` chooses from", row_at};

/* ---- genes ---- */

enum { WIDTH, DEPTH_GENE, FIRST }; /* of a stage; from FIRST on kernel and width within, block by block */

static const cop_among *span_of(const cop_space *s, int32_t i)
{
	const int32_t k = i % COP_STAGE_GENES, block = (k - FIRST) / 2;

	if (i / COP_STAGE_GENES >= s->n_stage) return NULL;
	if (k == WIDTH) return &s->part;
	if (k == DEPTH_GENE) return &s->depth;
	if (block >= s->depth.at[s->depth.n - 1]) return NULL;
	return (k - FIRST) % 2 ? &s->expand : &s->kernel;
}

int32_t cop__gene_choices(const cop_space *s, int32_t i)
{
	const cop_among *p = span_of(s, i);
	return p ? p->n : 1;
}

static int32_t depth_of(const cop_design *d, int32_t stage)
{
	const cop_space *s = cop__space(d->space);
	return s->depth.at[d->gene[stage * COP_STAGE_GENES + DEPTH_GENE]];
}

void cop__design_settle(cop_design *d)
{
	const cop_space *s = cop__space(d->space);

	for (int32_t i = 0; i < COP_GENES; i++) {
		const int32_t stage = i / COP_STAGE_GENES, k = i % COP_STAGE_GENES;
		if (cop__gene_choices(s, i) == 1 || (k >= FIRST && (k - FIRST) / 2 >= depth_of(d, stage)))
			d->gene[i] = 0;
	}
}

void cop__design_end(cop_design *d, bool largest)
{
	const cop_space *s = cop__space(d->space);

	for (int32_t i = 0; i < COP_GENES; i++) d->gene[i] = (uint8_t)(largest ? cop__gene_choices(s, i) - 1 : 0);
}

void cop__design_draw(cop_design *d, uint64_t seed, uint32_t stream, uint64_t index)
{
	const cop_space *s = cop__space(d->space);

	for (int32_t i = 0; i < COP_GENES; i++)
		d->gene[i] = (uint8_t)(cop__rand(seed, stream, index * COP_GENES + (uint64_t)i) %
		                       (uint32_t)cop__gene_choices(s, i));
	cop__design_settle(d);
}

bool cop__design_same(const cop_design *a, const cop_design *b)
{
	return a->space == b->space && a->scale == b->scale && a->shrink == b->shrink &&
	       !memcmp(a->gene, b->gene, sizeof a->gene);
}

/* ---- text ---- */

/* A sample's size as [height, width, channels], or [steps, numbers]. */
static void input(cop_text *t, const cop_type *x, bool *tall)
{
	const bool first = x->rank == 3 && (x->dim[0] == 1 || x->dim[0] == 3) &&
	                   x->dim[2] > 4; /* channels first: they are turned */
	const int32_t h = x->dim[first], w = x->rank == 3 ? x->dim[1 + first] : 1;

	*tall = h > 3 * w;
	if (x->rank == 2) cop__text_add(t, "input %d %d\n", h, x->dim[1]);
	else cop__text_add(t, "input %d %d %d\n", h, w, x->dim[first ? 0 : 2]);
}

static void stage(cop_sketch *k, const cop_design *d, int32_t i)
{
	const cop_space *s = cop__space(d->space);
	const uint8_t *gene = d->gene + i * COP_STAGE_GENES;

	k->stage = i;
	k->width = cop__round_width((int64_t)s->stage[i].width * s->scale.at[d->scale] * s->part.at[gene[WIDTH]] / 100);
	for (k->block = 0; k->block < depth_of(d, i); k->block++) {
		k->stride = k->block ? 1 : s->stage[i].stride;
		k->kernel = s->kernel.at[gene[FIRST + 2 * k->block]];
		k->expand = s->expand.at[gene[FIRST + 2 * k->block + 1]];
		snprintf(k->name, sizeof k->name, "s%d.b%d", i + 1, k->block + 1);
		s->block(k);
		k->in = k->width;
	}
}

void cop__design_text(cop_text *t, const cop_design *d, const cop_type *x, int32_t classes)
{
	const cop_space *s = cop__space(d->space);
	cop_sketch k = {.t = t, .last = "stem"};
	bool tall;

	input(t, x, &tall);
	k.in = cop__round_width((int64_t)s->stage[0].width * s->scale.at[d->scale] * s->part.at[d->gene[WIDTH]] / 100);
	cop__text_add(t, "stem = conv %d %dx%d stride %d norm relu\n", k.in, tall ? s->stem.tall : s->stem.k, s->stem.k,
	        s->stem.stride * s->shrink.at[d->shrink]);
	for (int32_t i = 0; i < s->n_stage; i++) stage(&k, d, i);
	cop__text_add(t, "mean\nfc %d\n", classes);
}
