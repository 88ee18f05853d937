/* SPDX-License-Identifier: Apache-2.0
 *
 * cpu - what the processor has, and COPPICE_ISA=ref|dsp|avx2|avxvnni|avx512|avx512vnni|neon|dotprod|i8mm, which takes some of it away so that
 * every variant can be tested on one machine. dsp: kernels for Arm's DSP instructions, which are written out in C elsewhere.
 */
#include "core/core.h"
#include "kernel/kernel.h"

#include <stdlib.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

static bool avxvnni(void)
{
	unsigned a, b, c, d;
	return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}
#elif defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>

static bool dotprod(void) { return getauxval(AT_HWCAP) & 1ul << 20; } /* HWCAP_ASIMDDP */
static bool i8mm(void) { return getauxval(AT_HWCAP2) & 1ul << 13; }    /* HWCAP2_I8MM */
#else
static bool dotprod(void) { return true; } /* every Apple processor of the kind */
static bool i8mm(void) { return false; }   /* from the M2 on: not asked */
#endif
#endif

uint32_t cop__cpu_isa(void)
{
#if defined(__x86_64__) || defined(__i386__)
	uint32_t isa = COP_ISA_REF;
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isa |= COP_ISA_AVX2;
	if (isa && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")
		&& __builtin_cpu_supports("avx512vl")) isa |= COP_ISA_AVX512;
	if ((isa & COP_ISA_AVX512) && __builtin_cpu_supports("avx512vnni")) isa |= COP_ISA_AVX512VNNI;
	if ((isa & COP_ISA_AVX512VNNI) && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vpopcntdq")) isa |= COP_ISA_AVX512VBMI;
	if ((isa & COP_ISA_AVX2) && avxvnni()) isa |= COP_ISA_AVXVNNI;
	return isa;
#elif defined(__aarch64__)
	return COP_ISA_NEON | (dotprod() ? COP_ISA_DOTPROD : 0) | (i8mm() ? COP_ISA_I8MM : 0);
#else
	return COP_ISA_REF;
#endif
}

/* AMX has registers of its own, which a process asks the kernel for (arch_prctl, ARCH_REQ_XCOMP_PERM of XTILEDATA). */
static bool tiles(void)
{
#if defined(__x86_64__) && defined(__linux__) && COP_HAVE_AMX
	unsigned a, b, c, d;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & 1u << 22) && (d & 1u << 24) && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5) &&
		!syscall(SYS_arch_prctl, 0x1023, 18);
#else
	return false;
#endif
}

cop_status cop__cpu_bf16(cop_ctx *cx)
{
	return (cx->isa & COP_ISA_AVX512) && tiles() ? COP_OK : cop__error(cx, COP_ARG,
		"products of bfloat16 (--bf16) need Intel's AMX, and this processor or this build has none, or COPPICE_ISA takes it away; leave them out to train in floats");
}

/* A choice includes what lies below it: the rows it lacks come from there. */
static const struct { const char *name; uint32_t bit, mask; } isas[] = {
	{"ref", COP_ISA_REF, COP_ISA_REF},
	{"dsp", COP_ISA_DSP, COP_ISA_DSP},
	{"avx2", COP_ISA_AVX2, COP_ISA_AVX2},
	{"avxvnni", COP_ISA_AVXVNNI, COP_ISA_AVX2 | COP_ISA_AVXVNNI},
	{"avx512", COP_ISA_AVX512, COP_ISA_AVX2 | COP_ISA_AVX512},
	{"avx512vnni", COP_ISA_AVX512VNNI, COP_ISA_AVX2 | COP_ISA_AVX512 | COP_ISA_AVX512VNNI},
	{"avx512vbmi", COP_ISA_AVX512VBMI, COP_ISA_AVX2 | COP_ISA_AVX512 | COP_ISA_AVX512VNNI | COP_ISA_AVX512VBMI},
	{"neon", COP_ISA_NEON, COP_ISA_NEON},
	{"dotprod", COP_ISA_DOTPROD, COP_ISA_NEON | COP_ISA_DOTPROD},
	{"i8mm", COP_ISA_I8MM, COP_ISA_NEON | COP_ISA_DOTPROD | COP_ISA_I8MM},
};

cop_status cop__isa_from_env(cop_ctx *cx)
{
	const char *want = getenv("COPPICE_ISA");

	if (!want || !*want) return COP_OK;
	for (int i = 0; i < LEN(isas); i++) {
		if (strcmp(want, isas[i].name)) continue;
		uint32_t have = cx->isa | COP_ISA_DSP;
		if ((isas[i].bit & have) != isas[i].bit)
			return cop__error(cx, COP_ARG, "COPPICE_ISA=%s: this processor does not have it", want);
		cx->isa = have & isas[i].mask;
		return COP_OK;
	}
	return cop__error(cx, COP_ARG, "COPPICE_ISA=%s: must be ref, dsp, avx2, avxvnni, avx512, avx512vnni, avx512vbmi, neon, dotprod or i8mm", want);
}

const char *cop_cpu_text(const cop_ctx *cx)
{
	const char *best = "ref";
	for (int i = 0; i < LEN(isas); i++)
		if (isas[i].bit & cx->isa) best = isas[i].name;
	return best;
}
