/* SPDX-License-Identifier: Apache-2.0
 *
 * dscnn - MLPerf Tiny's keyword spotter (Zhang 2017's DS-CNN, small): a 10x4 convolution, four depthwise separable
 * blocks of 64 channels, the mean, one fully connected layer. MLPerf counts 24,908: ours are 23,180 to train +
 * 1,152 running statistics, without the 576 biases that batch norm cancels. Its dropout stands in training only
 * and is left out.
 */
#include "zoo/zoo.h"

#include <stdio.h>

cop_vid cop__zoo_dscnn(cop_zoo *z)
{
	cop_vid x = cop__zoo_input(z);
	char name[24];

	x = cop__zoo_relu(z, cop__zoo_conv_bn(z, x, "conv1", (cop_zoo_conv){.out = 64, .k = 10, .kw = 4, .stride = 2, .pad = -1}));
	for (int i = 1; i <= 4; i++) {
		snprintf(name, sizeof name, "block%d.dw", i);
		x = cop__zoo_relu(z, cop__zoo_conv_bn(z, x, name, (cop_zoo_conv){.k = 3, .pad = -1, .groups = -1}));
		snprintf(name, sizeof name, "block%d.pw", i);
		x = cop__zoo_relu(z, cop__zoo_conv_bn(z, x, name, (cop_zoo_conv){.out = 64, .k = 1}));
	}
	return cop__zoo_fc(z, cop__zoo_mean(z, x), "fc", z->classes);
}
