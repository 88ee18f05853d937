/* SPDX-License-Identifier: Apache-2.0
 *
 * airbench - the network of Jordan 2024 for CIFAR-10: a 2x2 convolution that whitens patches (its weights come from the data: policy `whiten`), three
 * groups of two 3x3 convolutions that begin by handing their channels on, and logits a ninth as large as a layer would make them. Batch norm has no
 * scale: gamma stays 1 by `rates` of the row in zoo.def. A width behind the stem makes it narrower: airbench-0.25.
 */
#include "op/axes.h"
#include "zoo/zoo.h"

#include <math.h>
#include <stdio.h>

static cop_vid layer(cop_zoo *z, cop_vid x, const char *group, int i, int32_t out)
{
	char name[32];

	snprintf(name, sizeof name, "%s.conv%d", group, i);
	x = cop__zoo_conv_plain(z, x, name, (cop_zoo_conv){.out = out, .k = 3, .pad = 1, .dirac = true});
	if (i == 1) x = cop__zoo_maxpool(z, x, 2, 2, 0);
	return cop__zoo_gelu(z, x ? cop__zoo_norm(z, x, name) : 0);
}

/* A ninth of its logits. */
static cop_vid head(cop_zoo *z, cop_vid x)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_vid y = cop__zoo_fc_plain(z, cop__zoo_flatten(z, x), "fc", z->classes);

	return y ? cop__apply(z->g, OP_mul, &none, VIDS(y, cop__scalar(z->g, "fc.scale", 1 / 9.0f))) : 0;
}

cop_vid cop__zoo_airbench(cop_zoo *z)
{
	static const int32_t width[] = {64, 256, 256};
	const float times = *z->rest ? cop__zoo_width(z) : 1;
	char group[16];

	if (!(times > 0)) return 0;
	z->eps = 1e-12f, z->momentum = 0.4f;
	const int32_t pairs = 4 * z->c;
	cop_vid x = cop__zoo_gelu(z, cop__zoo_conv_bias(z, cop__zoo_input(z), "whiten", (cop_zoo_conv){.out = 2 * pairs, .k = 2}));
	for (int i = 0; i < LEN(width); i++) {
		const int32_t out = COP_MAX((int32_t)lroundf(times * (float)width[i]), 1);
		snprintf(group, sizeof group, "group%d", i + 1);
		x = layer(z, layer(z, x, group, 1, out), group, 2, out);
	}
	return head(z, cop__zoo_maxpool(z, x, 3, 3, 0));
}
