/* SPDX-License-Identifier: Apache-2.0
 *
 * vgg - VGG-16 of Simonyan 2014. For images up to 64x64 the form that CIFAR work uses: batch norm behind each of the
 * thirteen convolutions (which then have no bias) and one fully connected layer; else the original's three.
 *
 * VGG-small, which work on few bits compares itself by: six convolutions and one fully connected layer (Zhang 2018, from the network of Courbariaux 2016).
 * With signs in the place of ReLU a maximum is of sums, and the border of a sign is -1.
 */
#include "zoo/zoo.h"

#include <math.h>
#include <stdio.h>

cop_vid cop__zoo_vgg16(cop_zoo *z)
{
	static const struct { int32_t width, convs; } part[] = {{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}};
	bool small = cop__zoo_small(z);
	cop_vid x = cop__zoo_input(z);
	char name[16];

	if (!z->classes) z->classes = small ? 10 : 1000;
	for (int i = 0, n = 0; i < LEN(part); i++) {
		for (int j = 0; j < part[i].convs; j++) {
			cop_zoo_conv c = {.out = part[i].width, .k = 3, .pad = 1};
			snprintf(name, sizeof name, "conv%d", ++n);
			x = small ? cop__zoo_relu(z, cop__zoo_conv_bn(z, x, name, c)) : cop__zoo_conv_relu(z, x, name, c);
		}
		x = cop__zoo_maxpool(z, x, 2, 2, 0);
	}
	x = cop__zoo_flatten(z, x);
	if (small) return cop__zoo_fc(z, x, "fc", z->classes);
	x = cop__zoo_fc_relu(z, x, "fc1", 4096);
	x = cop__zoo_fc_relu(z, x, "fc2", 4096);
	return cop__zoo_fc(z, x, "fc3", z->classes);
}

/* Signs or ReLU, and where a group ends the picture half as high and wide. */
static cop_vid small_layer(cop_zoo *z, cop_vid x, int i, int32_t out, bool binary)
{
	const bool framed = binary && i > 0, last = i % 2;
	char name[16];

	snprintf(name, sizeof name, "conv%d", i + 1);
	x = cop__zoo_conv_bn(z, framed ? cop__zoo_border(z, x) : x, name, (cop_zoo_conv){.out = out, .k = 3, .pad = !framed});
	if (!binary) x = cop__zoo_relu(z, x);
	if (last) x = cop__zoo_maxpool(z, x, 2, 2, 0);
	return binary && x ? cop__apply(z->g, OP_sign, &(cop_sign_attr){.smooth = 1}, VIDS(x)) : x;
}

static cop_vid vgg_small(cop_zoo *z, bool binary)
{
	const float times = cop__zoo_width(z);
	cop_vid x = times > 0 ? cop__zoo_input(z) : 0;

	for (int i = 0; x && i < 6; i++) x = small_layer(z, x, i, COP_MAX((int32_t)lroundf(times * (float)(128 << i / 2)), 1), binary);
	return cop__zoo_fc(z, cop__zoo_flatten(z, x), "fc", z->classes);
}

cop_vid cop__zoo_vgg_small(cop_zoo *z) { return vgg_small(z, false); }
cop_vid cop__zoo_binary_vgg_small(cop_zoo *z) { return vgg_small(z, true); }
