/* SPDX-License-Identifier: Apache-2.0
 *
 * block - the blocks that spaces are made of, as lines of a network's text. A weight has the same name in every design,
 * and whether it is there depends on the stage and the block alone: so designs can share weights.
 */
#include "search/search.h"

#include <stdio.h>

int32_t cop__round_width(int64_t hundredths)
{
	return COP_MAX(4, (int32_t)((hundredths + 200) / 400 * 4));
}

static void now(cop_sketch *s, const char *behind)
{
	snprintf(s->last, sizeof s->last, "%.15s%s", s->name, behind);
}

void cop__block_inverted(cop_sketch *s)
{
	const int32_t within = cop__round_width((int64_t)s->in * s->expand);
	char from[sizeof s->last];

	memcpy(from, s->last, sizeof from);
	cop__text_add(s->t, "%s.up = conv %d 1x1 norm relu6\n", s->name, within);
	cop__text_add(s->t, "%s.dw = depthwise %dx%d stride %d norm relu6\n", s->name, s->kernel, s->kernel, s->stride);
	cop__text_add(s->t, "%s.down = conv %d 1x1 norm\n", s->name, s->width);
	now(s, s->stride > 1 || s->in != s->width ? ".down" : "");
	if (s->stride > 1 || s->in != s->width) return;
	cop__text_add(s->t, "%s = add %s %s.down\n", s->name, from, s->name);
}

/* A stage behind the first one begins with a shortcut that has weights, whatever its width is. */
void cop__block_residual(cop_sketch *s)
{
	const int32_t within = cop__round_width((int64_t)s->width * s->expand);

	cop__text_add(
	        s->t, "%s.a = conv %d %dx%d stride %d norm relu\n", s->name, within, s->kernel, s->kernel, s->stride);
	cop__text_add(s->t, "%s.b = conv %d %dx%d norm\n", s->name, s->width, s->kernel, s->kernel);
	if (s->stage && !s->block) {
		cop__text_add(s->t, "%s.by = conv %s %d 1x1 stride %d norm\n", s->name, s->last, s->width, s->stride);
		now(s, ".by");
	}
	cop__text_add(s->t, "%s = add %s %s.b relu\n", s->name, s->last, s->name);
	now(s, "");
}

void cop__block_separable(cop_sketch *s)
{
	cop__text_add(s->t, "%s.dw = depthwise %dx%d stride %d norm relu\n", s->name, s->kernel, s->kernel, s->stride);
	cop__text_add(s->t, "%s = conv %d 1x1 norm relu\n", s->name, s->width);
	now(s, "");
}
