/* SPDX-License-Identifier: Apache-2.0
 *
 * vgg - VGG-16 of Simonyan 2014. For images up to 64x64 the form that CIFAR work uses: batch norm behind each of the
 * thirteen convolutions (which then have no bias) and one fully connected layer; else the original's three.
 */
#include "zoo/zoo.h"

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
