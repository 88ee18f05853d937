/* SPDX-License-Identifier: Apache-2.0
 *
 * qerr_step - the weights of a 1x1 convolution of int8 moved along their gradient, of errors as bytes, for Cortex-M with DSP instructions. A multiplication
 * takes two pixels: of four channels they are put together once, for all filters.
 */
#include "kernel/cortexm/errors.h"
#include "kernel/qstep.h"

/* Of four channels at two pixels less zx, channel by channel. */
static void pair_up(uint32_t *to, const int8_t *x, int32_t c_n, int32_t pixels, uint32_t zero)
{
	for (; pixels > 0; pixels -= 2, x += 2 * c_n, to += ERROR_LANES) {
		const uint32_t a = cop_load4(x), b = cop_load4(x + c_n);
		const uint32_t a02 = cop_minus(cop_even(a), zero), a13 = cop_minus(cop_odd(a), zero), b02 = cop_minus(cop_even(b), zero), b13 = cop_minus(cop_odd(b), zero);
		to[0] = cop_pair((int32_t)a02, (int32_t)b02);
		to[1] = cop_pair((int32_t)a13, (int32_t)b13);
		to[2] = cop_high_pair(a02, b02);
		to[3] = cop_high_pair(a13, b13);
	}
}

/* Sums of four channels for a filter, and for the next one. e: the filter's errors. */
#if COP_DSP
/* Two pixels: 23 instructions for 16 products. Sums in r4-r7 and r8-r11. */
#define CHANNEL(a, b) "ldr lr, [r1], #4\n smlad " a ", lr, r0, " a "\n smlad " b ", lr, r12, " b "\n"
__attribute__((naked, noinline)) static void two_filters(__attribute__((unused)) int32_t *sum, __attribute__((unused)) const uint32_t *x, __attribute__((unused)) const int8_t *e,
	__attribute__((unused)) int32_t o_n, __attribute__((unused)) const uint32_t *end)
{
	__asm__("push {r0, r4-r11, lr}\n mov r4, #0\n mov r5, r4\n mov r6, r4\n mov r7, r4\n mov r8, r4\n mov r9, r4\n mov r10, r4\n mov r11, r4\n"
		"1: ldrsb.w r0, [r2]\n ldrsb.w r12, [r2, #1]\n add r2, r3\n ldrsb.w lr, [r2]\n pkhbt r0, r0, lr, lsl #16\n ldrsb.w lr, [r2, #1]\n pkhbt r12, r12, lr, lsl #16\n add r2, r3\n"
		CHANNEL("r4", "r8") CHANNEL("r5", "r9") CHANNEL("r6", "r10") CHANNEL("r7", "r11")
		"ldr lr, [sp, #40]\n cmp r1, lr\n bne.w 1b\n"
		"pop {r0}\n stm r0, {r4-r11}\n pop {r4-r11, pc}\n");
}
#else
static void two_filters(int32_t *sum, const uint32_t *x, const int8_t *e, int32_t o_n, const uint32_t *end)
{
	for (int32_t i = 0; i < 2 * ERROR_LANES; i++) sum[i] = 0;
	for (; x < end; x += ERROR_LANES, e += 2 * o_n)
		for (int32_t i = 0; i < 2 * ERROR_LANES; i++) {
			const int8_t *at = e + i / ERROR_LANES;
			sum[i] = cop_dual(x[i % ERROR_LANES], cop_pair(at[0], at[o_n]), sum[i]);
		}
}
#endif

typedef struct mover { const int32_t *k; int8_t *w; const float *per; float lr, unit; uint32_t step; } mover;

/* Weights of filter o from channel c on. */
static void move(const mover *m, int32_t o, int32_t c, const int32_t *sum)
{
	const int32_t *k = m->k;

	for (int32_t i = 0, at = o * k[CK_C] + c; i < ERROR_LANES; i++, at++)
		m->w[at] = (int8_t)cop_q_moved(m->w[at], m->lr * m->per[o] * ((float)sum[i] * m->unit), 127, k[QE_ROUND], cop_hash32((uint32_t)k[QE_SEED], m->step, 0, (uint32_t)at));
}

void cop_qerr_step_dsp(const cop_call *call)
{
	const int32_t *k = call->k, pixels = k[CK_N] * k[CK_H] * k[CK_W];
	const mover m = {k, call->buf[0], call->buf[5], *(const float *)call->buf[4], *(const float *)call->buf[7], call->buf[6] ? *(const uint32_t *)call->buf[6] : 0};
	const int8_t *e = call->buf[2], *x = call->buf[3];
	uint32_t *pairs = call->work;

	for (int32_t c = 0; c < k[CK_C]; c += ERROR_LANES) {
		pair_up(pairs, x + c, k[CK_C], pixels, (uint32_t)(uint16_t)k[QD_ZX] * 0x10001u);
		for (int32_t o = 0; o < k[CK_O]; o += 2) {
			int32_t sum[2 * ERROR_LANES];
			two_filters(sum, pairs, e + o, k[CK_O], pairs + pixels / 2 * ERROR_LANES);
			move(&m, o, c, sum);
			move(&m, o + 1, c, sum + ERROR_LANES);
		}
	}
}
