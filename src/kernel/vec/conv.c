/* SPDX-License-Identifier: Apache-2.0
 *
 * conv - y[n,oh,ow,o] = b[o] + sum w[o,kh,kw,c] x[n,h,w,c], any stride and padding, no groups, no dilation.
 *
 * The weights are packed beforehand. The work is conv_run.c's; the gradients are conv_dx.c and conv_dw.c.
 */
#include "kernel/vec/wino.h"

bool VN(conv_fits)(const int32_t *k) { return cv_dense(k) && !wino_narrow(k, k[CK_O]); }

size_t VN(conv_work)(const int32_t *k)
{
	cv g = cv_forward(k);
	return cv_flat(&g) ? 0 : cv_work(&g) * sizeof(float);
}

size_t VN(conv_pack_bytes)(const int32_t *k)
{
	cv g = cv_forward(k);
	return cv_pack_floats(&g) * sizeof(float);
}

void VN(conv_pack)(const cop_call *c)
{
	cv g = cv_forward(c->k);
	VN(cv_pack)(&g, c->work, c->buf[2], c->part, c->parts);
}

void VN(conv_f32)(const cop_call *c)
{
	cv g = cv_forward(c->k);
	bool flat = cv_flat(&g), heavy = g.o * g.kh * g.kw * g.c > g.n * g.h * g.w * g.c;
	long m = flat ? g.n * g.h * g.w : g.n * g.oh, r0, r1, p0, p1;

	g.bias = c->buf[3];
	cv_share(c, m, g.o, heavy, &r0, &r1, &p0, &p1);
	if (flat)
		VN(cv_run_flat)(&g, c->buf[0], c->buf[1], c->pack, 0, r0, r1, p0, p1);
	else
		VN(cv_run)(&g, c->buf[0], c->buf[1], c->pack, r0, r1, p0, p1, c->work);
}
