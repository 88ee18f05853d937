/* SPDX-License-Identifier: Apache-2.0
 *
 * pack_sparse - what a plan needs to know about the kernels for sparse int8 weights of Cortex-M and of portable C. Runs where the plan is made; not
 * shipped to devices.
 */
#include "kernel/ahead.h"
#include "kernel/gaps.h"
#include "kernel/groups.h"

enum { PIXELS = 4, UNIT = 2 * PIXELS }; /* bytes of a tap */

static int32_t taps(const int32_t *k) { return k[CK_KH] * k[CK_KW] * k[CK_C]; }

bool cop_qsparse_fc_fits_dsp(const int32_t *k)
{
	return k[CK_G] == 1 && k[CK_KH] * k[CK_KW] == 1 && k[CK_N] * k[CK_H] * k[CK_W] == 1 && k[CK_OH] * k[CK_OW] == 1 && !k[CK_PT] && !k[CK_PL];
}
int64_t cop_qsparse_fc_steps_dsp(const int32_t *k, const void *w) { return cop_gap_steps(w, k[CK_O], taps(k), 1); }
void cop_qsparse_fc_pack_dsp(const cop_call *c) { cop_gap_pack(c->work, c->buf[2], c->k[CK_O], taps(c->k), 1); }
size_t cop_qsparse_pack_bytes_dsp(const int32_t *k) { return cop_gap_bytes(k[CK_O], k[COP_STEPS]); }

bool cop_qsparse_fits_dsp(const int32_t *k) { return k[CK_G] == 1; }
int64_t cop_qsparse_steps_dsp(const int32_t *k, const void *w) { return cop_gap_steps(w, k[CK_O], taps(k), UNIT); }
void cop_qsparse_pack_dsp(const cop_call *c) { cop_gap_pack(c->work, c->buf[2], c->k[CK_O], taps(c->k), UNIT); }
size_t cop_qsparse_work_dsp(const int32_t *k) { return (size_t)((k[CK_C] + 7) & ~7) + (size_t)taps(k) * UNIT; }

/* ---- aligned groups of four: whole ones in each tap ---- */

enum { GROUP_ONE = 8, GROUP_FOUR = 8 * PIXELS }; /* bytes of a group's inputs: of one pixel, of four */

bool cop_qgroups_fc_fits_dsp(const int32_t *k) { return cop_qsparse_fc_fits_dsp(k) && k[CK_C] % COP_GROUP == 0; }
int64_t cop_qgroups_fc_steps_dsp(const int32_t *k, const void *w) { return cop_group_steps(w, k[CK_O], taps(k), GROUP_ONE); }
void cop_qgroups_fc_pack_dsp(const cop_call *c) { cop_group_pack(c->work, c->buf[2], c->k[CK_O], taps(c->k), GROUP_ONE); }
size_t cop_qgroups_fc_work_dsp(const int32_t *k) { return (size_t)taps(k) * 2 + GROUP_ONE * COP_GROUPS; }
size_t cop_qgroups_pack_bytes_dsp(const int32_t *k) { return cop_group_bytes(k[CK_O], k[COP_STEPS]); }

bool cop_qgroups_fits_dsp(const int32_t *k) { return k[CK_G] == 1 && k[CK_C] % COP_GROUP == 0; }
int64_t cop_qgroups_steps_dsp(const int32_t *k, const void *w) { return cop_group_steps(w, k[CK_O], taps(k), GROUP_FOUR); }
void cop_qgroups_pack_dsp(const cop_call *c) { cop_group_pack(c->work, c->buf[2], c->k[CK_O], taps(c->k), GROUP_FOUR); }
size_t cop_qgroups_work_dsp(const int32_t *k) { return (size_t)k[CK_C] + (size_t)taps(k) / COP_GROUP * GROUP_FOUR + GROUP_FOUR * COP_GROUPS; }
