/* SPDX-License-Identifier: Apache-2.0
 *
 * masked - a weight with zeros that stay: its STATE "<weight>.mask" of ones and zeros. The weight is its own latent and is zero where the mask is,
 * so nothing is computed in the forward pass; its gradient is multiplied by the mask, and no momentum or decay moves it.
 */
#include "op/op.h"
#include "train/build.h"

static cop_vid gradient(const cop_formed *f, cop_graph *g, cop_vid w, cop_vid dw)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_vid mask = cop__follower(g, w, "mask");

	(void)f;
	return mask ? cop__apply(g, OP_mul, &none, VIDS(dw, mask)) : dw;
}

const cop_form cop_form_masked = {
	.row = {"masked", "some weights are zero and stay so", "Han et al. 2015, arXiv 1506.02626", NULL, 0}, .gradient = gradient, .follower = "mask"};
