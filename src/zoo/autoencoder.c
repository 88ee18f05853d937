/* SPDX-License-Identifier: Apache-2.0
 *
 * autoencoder - MLPerf Tiny's anomaly detector: 640 features to 8 and back, four layers of 128 on each side, batch
 * norm and ReLU behind each but the last. The output is the reconstruction. MLPerf counts 269,992: ours are 266,896 to
 * train + 2,064 running statistics, without the 1,032 biases that batch norm cancels.
 */
#include "zoo/zoo.h"

#include <stdio.h>

cop_vid cop__zoo_autoencoder(cop_zoo *z)
{
	static const int32_t width[] = {128, 128, 128, 128, 8, 128, 128, 128, 128};
	cop_type t = cop__type(COP_F32, 2, DIMS(z->batch, 640));
	cop_vid x = cop__input(z->g, "x", &t);
	char name[16];

	for (int i = 0; i < LEN(width); i++) {
		snprintf(name, sizeof name, "fc%d", i + 1);
		x = cop__zoo_fc_bn_relu(z, x, name, width[i]);
	}
	return cop__zoo_fc(z, x, "fc10", 640);
}
