/* SPDX-License-Identifier: Apache-2.0
 *
 * conv - the forward pass of a dense convolution, and dX as one pass for each phase of its stride (vec/conv_dx.c).
 */
#include "kernel/amx/pass.h"

/* Sums that do not fill most of a tile are as fast in floats. */
bool VN(conv_fits)(const int32_t *k) { return cv_dense(k) && k[CK_KH] * k[CK_KW] * k[CK_C] >= AMX_PAYS; }

size_t VN(conv_work)(const int32_t *k)
{
	cv g = cv_forward(k);
	return VN(pass_work)(&g);
}

size_t VN(conv_pack_bytes)(const int32_t *k)
{
	cv g = cv_forward(k);
	return pass_pack_bytes(&g);
}

void VN(conv_pack)(const cop_call *c)
{
	cv g = cv_forward(c->k);
	VN(pass_pack)(&g, c->work, c->buf[2], c->part, c->parts);
}

void VN(conv_f32)(const cop_call *c)
{
	cv g = cv_forward(c->k);
	const int32_t rows = (int32_t)(g.n * g.oh);

	g.bias = c->buf[3];
	VN(pass_run)(&g, c->buf[0], c->buf[1], c->pack, cop_from(c, rows, 1), cop_to(c, rows, 1), c->work);
}

/* ---- dX ---- */

bool VN(conv_dx_fits)(const int32_t *k) { return cv_dense(k) && k[CK_KH] * k[CK_KW] * k[CK_O] >= AMX_PAYS * k[CK_SH] * k[CK_SW]; }

size_t VN(conv_dx_work)(const int32_t *k)
{
	cv f = cv_forward(k);
	size_t most = 0;
	long offset, tap;

	for (long i = 0; i < f.sh; i++)
		for (long j = 0; j < f.sw; j++) {
			cv g = cv_phase(&f, i, j, &offset, &tap);
			size_t n = g.oh && g.ow ? VN(pass_work)(&g) : 0;
			most = n > most ? n : most;
		}
	return most;
}

size_t VN(conv_dx_pack_bytes)(const int32_t *k)
{
	cv f = cv_forward(k);
	size_t n = 0;
	long offset, tap;

	for (long i = 0; i < f.sh; i++)
		for (long j = 0; j < f.sw; j++) {
			cv g = cv_phase(&f, i, j, &offset, &tap);
			n += pass_pack_bytes(&g);
		}
	return n;
}

void VN(conv_dx_pack)(const cop_call *c)
{
	cv f = cv_forward(c->k);
	char *d = c->work;
	long offset, tap;

	for (long i = 0; i < f.sh; i++)
		for (long j = 0; j < f.sw; j++) {
			cv g = cv_phase(&f, i, j, &offset, &tap);
			VN(pass_pack)(&g, (bf *)(void *)d, (const float *)c->buf[2] + tap, c->part, c->parts);
			d += pass_pack_bytes(&g);
		}
}

/* Rows are shared out as in vec/conv_dx.c: sh rows of dx at a time, one of each phase; image by image, so that they fill the same lines of dx. */
void VN(conv_dx_f32)(const cop_call *c)
{
	cv f = cv_forward(c->k);
	const long groups = (f.h + f.sh - 1) / f.sh, all = f.n * groups, to = cop_to(c, (int32_t)all, 1);
	long offset, tap;

	for (long r = cop_from(c, (int32_t)all, 1); r < to;) {
		const long n = r / groups, h = r % groups, h1 = f.sh * f.sw == 1 ? h + to - r : lmin(groups, h + to - r);
		const char *packed = c->pack;
		for (long i = 0; i < f.sh; i++)
			for (long j = 0; j < f.sw; j++) {
				cv g = cv_phase(&f, i, j, &offset, &tap);
				VN(pass_run)(&g, (float *)c->buf[0] + offset, c->buf[1], (const bf *)(const void *)packed, n * g.oh + lmin(h, g.oh),
					n * g.oh + (f.sh == 1 ? h1 : lmin(h1, g.oh)), c->work);
				packed += pass_pack_bytes(&g);
			}
		r += h1 - h;
	}
}
