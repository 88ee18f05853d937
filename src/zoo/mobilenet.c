/* SPDX-License-Identifier: Apache-2.0
 *
 * mobilenet - v1 (Howard 2017) and v2 (Sandler 2018) at any width and image size, padded as TensorFlow's SAME.
 * v1 cuts widths off, v2 rounds them to multiples of 8 and never widens its last layer below width 1.
 */
#include "zoo/zoo.h"

#include <stdio.h>

cop_vid cop__zoo_mobilenet1(cop_zoo *z)
{
	static const struct { int32_t out, stride; } part[] = {
		{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1},
	};
	float width = cop__zoo_width(z);
	char name[24];

	if (width <= 0) return 0;
	z->eps = 1e-3f;
	cop_vid x = cop__zoo_input(z);
	x = cop__zoo_conv_bn(z, x, "conv1", (cop_zoo_conv){.out = (int32_t)(32 * width), .k = 3, .stride = 2, .pad = -1});
	x = cop__zoo_clip(z, x, 0, 6);
	for (int i = 0; i < LEN(part); i++) {
		snprintf(name, sizeof name, "block%d.dw", i + 1);
		x = cop__zoo_conv_bn(z, x, name, (cop_zoo_conv){.k = 3, .stride = part[i].stride, .pad = -1, .groups = -1});
		x = cop__zoo_clip(z, x, 0, 6);
		snprintf(name, sizeof name, "block%d.pw", i + 1);
		x = cop__zoo_conv_bn(z, x, name, (cop_zoo_conv){.out = (int32_t)((float)part[i].out * width), .k = 1});
		x = cop__zoo_clip(z, x, 0, 6);
	}
	return cop__zoo_fc(z, cop__zoo_mean(z, x), "fc", z->classes);
}

/* The nearest multiple of 8, not below 8 nor more than a tenth below v (Sandler's code). */
static int32_t round8(float v)
{
	int32_t r = COP_MAX((int32_t)(v + 4) / 8 * 8, 8);
	return (float)r < 0.9f * v ? r + 8 : r;
}

/* Expand, depthwise, project: the last has no activation, and the shortcut runs where nothing changes shape. */
static cop_vid inverted(cop_zoo *z, cop_vid x, int at, int32_t expand, int32_t out, int32_t stride)
{
	char name[32];
	cop_vid y = x;

	if (!x) return 0;
	int32_t in = cop__t(z->g, x)->dim[3];
	if (expand != 1) {
		snprintf(name, sizeof name, "block%d.expand", at);
		y = cop__zoo_clip(z, cop__zoo_conv_bn(z, y, name, (cop_zoo_conv){.out = in * expand, .k = 1}), 0, 6);
	}
	snprintf(name, sizeof name, "block%d.dw", at);
	y = cop__zoo_clip(z, cop__zoo_conv_bn(z, y, name, (cop_zoo_conv){.k = 3, .stride = stride, .pad = -1, .groups = -1}), 0, 6);
	snprintf(name, sizeof name, "block%d.project", at);
	y = cop__zoo_conv_bn(z, y, name, (cop_zoo_conv){.out = out, .k = 1});
	return stride == 1 && in == out ? cop__zoo_add(z, x, y) : y;
}

cop_vid cop__zoo_mobilenet2(cop_zoo *z)
{
	static const struct { int32_t expand, out, n, stride; } part[] = {
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	};
	float width = cop__zoo_width(z);
	int at = 0;

	if (width <= 0) return 0;
	z->eps = 1e-3f;
	cop_vid x = cop__zoo_input(z);
	x = cop__zoo_conv_bn(z, x, "conv1", (cop_zoo_conv){.out = round8(32 * width), .k = 3, .stride = 2, .pad = -1});
	x = cop__zoo_clip(z, x, 0, 6);
	for (int i = 0; i < LEN(part); i++)
		for (int j = 0; j < part[i].n; j++)
			x = inverted(z, x, ++at, part[i].expand, round8((float)part[i].out * width), j ? 1 : part[i].stride);
	x = cop__zoo_conv_bn(z, x, "conv2", (cop_zoo_conv){.out = round8(1280 * COP_MAX(width, 1.0f)), .k = 1});
	return cop__zoo_fc(z, cop__zoo_mean(z, cop__zoo_clip(z, x, 0, 6)), "fc", z->classes);
}
