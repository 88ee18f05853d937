/* SPDX-License-Identifier: Apache-2.0
 *
 * cast - one number format to another: a real is cut towards zero, what does not fit is clamped, no number gives 0. Of a whole
 * number that does not fit the low byte is left, as in C, TFLite and ONNX.
 */
#include "kernel/kernel.h"

static inline int32_t whole(float x, int32_t lo, int32_t hi)
{
	if (!(x > (float)lo)) return x != x ? 0 : lo;
	return x < (float)hi ? (int32_t)x : hi;
}
static inline int8_t low_byte(int32_t x) { return (int8_t)((int32_t)((uint32_t)x & 255) - ((uint32_t)x & 128 ? 256 : 0)); }

#define CAST(FROM, T, TO, R, EXPR)                                                                              \
	void cop_cast_##FROM##_##TO(const cop_call *c);                                                         \
	void cop_cast_##FROM##_##TO(const cop_call *c)                                                          \
	{                                                                                                       \
		const T *in = c->buf[1];                                                                        \
		R *out = c->buf[0];                                                                             \
		for (int32_t i = cop_from(c, c->k[XK_COUNT], 16), to = cop_to(c, c->k[XK_COUNT], 16); i < to; i++) { \
			T x = in[i];                                                                            \
			out[i] = (R)(EXPR);                                                                     \
		}                                                                                               \
	}
CAST(f32, float, i32, int32_t, whole(x, INT32_MIN, INT32_MAX))
CAST(f32, float, u8, uint8_t, whole(x, 0, 255))
CAST(f32, float, i8, int8_t, whole(x, -128, 127))
CAST(i32, int32_t, f32, float, x)
CAST(u8, uint8_t, f32, float, x)
CAST(i8, int8_t, f32, float, x)
CAST(i32, int32_t, u8, uint8_t, (uint32_t)x)
CAST(i32, int32_t, i8, int8_t, low_byte(x))
CAST(u8, uint8_t, i32, int32_t, x)
CAST(i8, int8_t, i32, int32_t, x)
