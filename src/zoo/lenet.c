/* SPDX-License-Identifier: Apache-2.0
 *
 * lenet - LeCun 1998, in the two forms that the compression literature measures itself on (Han 2015):
 * 300-100 fully connected, and Caffe's LeNet-5, which has no activation behind its convolutions.
 */
#include "zoo/zoo.h"

cop_vid cop__zoo_lenet300(cop_zoo *z)
{
	cop_vid x = cop__zoo_flatten(z, cop__zoo_input(z));

	x = cop__zoo_fc_relu(z, x, "fc1", 300);
	x = cop__zoo_fc_relu(z, x, "fc2", 100);
	return cop__zoo_fc(z, x, "fc3", z->classes);
}

cop_vid cop__zoo_lenet5(cop_zoo *z)
{
	cop_vid x = cop__zoo_input(z);

	x = cop__zoo_maxpool(z, cop__zoo_conv_bias(z, x, "conv1", (cop_zoo_conv){.out = 20, .k = 5}), 2, 2, 0);
	x = cop__zoo_maxpool(z, cop__zoo_conv_bias(z, x, "conv2", (cop_zoo_conv){.out = 50, .k = 5}), 2, 2, 0);
	x = cop__zoo_fc_relu(z, cop__zoo_flatten(z, x), "fc1", 500);
	return cop__zoo_fc(z, x, "fc2", z->classes);
}
