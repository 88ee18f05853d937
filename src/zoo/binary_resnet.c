/* SPDX-License-Identifier: Apache-2.0
 *
 * binary_resnet - the stages of resnet-20 (He 2016) from the blocks of ReActNet (Liu 2020): each 3x3 convolution reads signs, whose edges are moved by channel
 * (RSign), and has a shortcut of its own, with a moved PReLU behind the sum (RPReLU). So what the signs lose goes around them.
 *
 * Where the picture halves, the shortcut is a mean of 2x2 cells, twice behind each other: no weights, and none that would have to stay real.
 */
#include "zoo/zoo.h"

#include <stdio.h>
#include <stdlib.h>

static cop_vid signs(cop_zoo *z, cop_vid x, const char *name) { return cop__zoo_border(z, cop__zoo_rsign(z, x, name, &(cop_sign_attr){.smooth = 1})); }

/* Half as high and wide, twice as many channels. */
static cop_vid halved(cop_zoo *z, cop_vid x)
{
	static const cop_pool_attr cell = {.kh = 2, .kw = 2, .sh = 2, .sw = 2};
	cop_vid y = x ? cop__apply(z->g, OP_avgpool, &cell, VIDS(x)) : 0;

	return y ? cop__apply(z->g, OP_concat, &(cop_concat_attr){3}, VIDS(y, y)) : 0;
}

static cop_vid half_block(cop_zoo *z, cop_vid x, const char *name, int32_t out, int32_t stride)
{
	cop_vid y = cop__zoo_conv_bn(z, signs(z, x, name), name, (cop_zoo_conv){.out = out, .k = 3, .stride = stride});

	return cop__zoo_rprelu(z, cop__zoo_add(z, y, stride == 1 ? x : halved(z, x)), name);
}

/* "20" or "20x2": blocks of a stage, and how many times as wide as resnet-20. */
static int read_name(const char *s, int32_t *width)
{
	char *end;
	long depth = *s >= '1' && *s <= '9' ? strtol(s, &end, 10) : 0, times = 1;

	if (!depth) return 0;
	if (*end == 'x' && end[1] >= '1' && end[1] <= '9') times = strtol(end + 1, &end, 10);
	*width = (int32_t)times * 16;
	return !*end && depth >= 8 && depth <= 1202 && depth % 6 == 2 && times <= 64 ? (int)(depth - 2) / 6 : 0;
}

cop_vid cop__zoo_binary_resnet(cop_zoo *z)
{
	int32_t width;
	int blocks = read_name(z->rest, &width);
	char name[40];

	if (!blocks) return cop__zoo_fail(z, "has no such depth: 6n + 2, as in binary-resnet-8, 14 and 20, and, of a multiple of the width, binary-resnet-20x2");
	if (z->h % 4 || z->w % 4) return cop__zoo_fail(z, "takes pictures whose height and width are multiples of 4");
	cop_vid x = cop__zoo_conv_bn(z, cop__zoo_input(z), "conv1", (cop_zoo_conv){.out = width, .k = 3, .pad = 1});
	for (int s = 0; s < 3; s++)
		for (int b = 0; b < 2 * blocks; b++) {
			snprintf(name, sizeof name, "layer%d.%d.conv%d", s + 1, b / 2, b % 2 + 1);
			x = half_block(z, x, name, width << s, s && !b ? 2 : 1);
		}
	return cop__zoo_fc(z, cop__zoo_mean(z, x), "fc", z->classes);
}
