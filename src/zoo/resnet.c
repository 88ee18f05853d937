/* SPDX-License-Identifier: Apache-2.0
 *
 * resnet - He 2016, from basic blocks of two 3x3 convolutions.
 *
 * For CIFAR (20, 32, 56, 110: depths of 6n + 2): where the width changes the shortcut is a 1x1 convolution with batch norm (option B of the
 * paper; option A, zero padding, has 2,752 parameters fewer and ties channels that cannot be pruned).
 * resnet-18 is the network for ImageNet; for pictures up to 64x64 its stem is a 3x3 convolution of stride 1 without a pool, as CIFAR work has it.
 * resnet-8 is MLPerf Tiny's: its 1x1 shortcuts have a bias and no batch norm. MLPerf counts 78,666 = 77,706 weights and
 * biases + 960 of batch norm; here the 240 biases that batch norm cancels are not there: 77,946 to train + 480 running
 * means and variances, and 77,706 once batch norm is folded.
 */
#include "zoo/zoo.h"

#include <stdio.h>
#include <stdlib.h>

enum { TINY = 1 }; /* style: MLPerf Tiny's padding and shortcut */

static cop_vid block(cop_zoo *z, cop_vid x, const char *name, int32_t out, int32_t stride, int style)
{
	int32_t pad = style == TINY ? -1 : 1;
	char conv1[64], conv2[64], cut[64];
	cop_vid y, from = x;

	if (!x) return 0;
	snprintf(conv1, sizeof conv1, "%s.conv1", name);
	snprintf(conv2, sizeof conv2, "%s.conv2", name);
	snprintf(cut, sizeof cut, "%s.shortcut", name);
	y = cop__zoo_relu(z, cop__zoo_conv_bn(z, x, conv1, (cop_zoo_conv){.out = out, .k = 3, .stride = stride, .pad = pad}));
	y = cop__zoo_conv_bn(z, y, conv2, (cop_zoo_conv){.out = out, .k = 3, .pad = pad});
	if (stride != 1 || cop__t(z->g, x)->dim[3] != out) {
		cop_zoo_conv c = {.out = out, .k = 1, .stride = stride};
		from = style == TINY ? cop__zoo_conv_bias(z, x, cut, c) : cop__zoo_conv_bn(z, x, cut, c);
	}
	return cop__zoo_relu(z, cop__zoo_add(z, y, from));
}

/* `stages` stages of `blocks` blocks; each stage after the first halves the image and doubles the width. */
static cop_vid stages(cop_zoo *z, cop_vid x, int n, int blocks, int32_t width, int style)
{
	char name[32];

	for (int s = 0; s < n; s++, width *= 2)
		for (int b = 0; b < blocks; b++) {
			snprintf(name, sizeof name, "layer%d.%d", s + 1, b);
			x = block(z, x, name, width, s && !b ? 2 : 1, style);
		}
	return cop__zoo_fc(z, cop__zoo_mean(z, x), "fc", z->classes);
}

cop_vid cop__zoo_resnet8(cop_zoo *z)
{
	cop_vid x = cop__zoo_conv_bn(z, cop__zoo_input(z), "conv1", (cop_zoo_conv){.out = 16, .k = 3, .pad = -1});

	return stages(z, cop__zoo_relu(z, x), 3, 1, 16, TINY);
}

/* "20": an even depth of 6n + 2, n blocks a stage. */
static int blocks_of(const char *depth)
{
	char *end;
	long n = strtol(depth, &end, 10);

	return *depth >= '1' && *depth <= '9' && !*end && n >= 14 && n <= 1202 && n % 6 == 2 ? (int)(n - 2) / 6 : 0;
}

cop_vid cop__zoo_resnet_cifar(cop_zoo *z)
{
	int blocks = blocks_of(z->rest);

	if (!blocks) return cop__zoo_fail(z, "has no such depth: resnet-8, resnet-18, or 6n + 2 as in resnet-20, 32, 44, 56 and 110");
	cop_vid x = cop__zoo_conv_bn(z, cop__zoo_input(z), "conv1", (cop_zoo_conv){.out = 16, .k = 3, .pad = 1});

	return stages(z, cop__zoo_relu(z, x), 3, blocks, 16, 0);
}

cop_vid cop__zoo_resnet18(cop_zoo *z)
{
	bool small = cop__zoo_small(z);
	cop_zoo_conv stem = small ? (cop_zoo_conv){.out = 64, .k = 3, .pad = 1} : (cop_zoo_conv){.out = 64, .k = 7, .stride = 2, .pad = 3};

	if (!z->classes) z->classes = small ? 10 : 1000;
	cop_vid x = cop__zoo_relu(z, cop__zoo_conv_bn(z, cop__zoo_input(z), "conv1", stem));
	return stages(z, small ? x : cop__zoo_maxpool(z, x, 3, 2, 1), 4, 2, 64, 0);
}
