/* SPDX-License-Identifier: Apache-2.0
 *
 * pack_sparse - how the weights of the kernels for sparse ones are put together. Runs where the plan is made; not shipped to devices.
 */
#include "kernel/gaps.h"

int64_t cop_qsparse_steps(const int32_t *k, const void *w);
size_t cop_qsparse_pack_bytes(const int32_t *k);
size_t cop_qsparse_work(const int32_t *k);
void cop_qsparse_pack(const cop_call *c);

static int32_t taps(const int32_t *k) { return k[CK_KH] * k[CK_KW] * k[CK_C]; }

int64_t cop_qsparse_steps(const int32_t *k, const void *w) { return cop_gap_steps(w, k[CK_O], taps(k), 1); }
void cop_qsparse_pack(const cop_call *c) { if (!c->part) cop_gap_pack(c->work, c->buf[2], c->k[CK_O], taps(c->k), 1); }
size_t cop_qsparse_pack_bytes(const int32_t *k) { return cop_gap_bytes(k[CK_O], k[COP_STEPS]); }
size_t cop_qsparse_work(const int32_t *k) { return (size_t)taps(k); }
