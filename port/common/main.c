/* SPDX-License-Identifier: Apache-2.0
 *
 * main - runs the network on files, so that it can be compared with the machine it was trained on.
 *
 *   (no argument)   every set of inputs in x.bin -> a set of outputs in y.bin, raw values one after the other
 *   train N         N steps; each takes one batch of x.bin and one of label.bin (int32) or target.bin
 *                   -> parameters.bin, the block of all parameters that training changes
 */
#include "io.h"
#include "net.h"

static void print_number(const char *what, uint32_t n)
{
	char digits[12], *p = digits + sizeof digits;

	*--p = 0;
	do {
		*--p = (char)('0' + n % 10);
	} while (n /= 10);
	io_print(what);
	io_print(" ");
	io_print(p);
	io_print("\n");
}

static int failed(const char *what)
{
	io_print(what);
	io_print("\n");
	return 1;
}

/* ---- what the runs cost: the most of any ---- */

static uint32_t instructions, stack;

static void count(void)
{
	uint32_t n = io_count_instructions(), s = io_count_stack();

	if (n > instructions) instructions = n;
	if (s > stack) stack = s;
}

static int print_costs(void)
{
	if (!io_flash_bytes()) return 0; /* nothing is counted here */
	print_number("instructions", instructions);
	print_number("stack", stack);
	print_number("data+bss", io_static_bytes());
	if (NET_FAST_BYTES) print_number("fast", io_fast_bytes());
	print_number("flash", io_flash_bytes());
	print_number("weights", NET_FLASH_BYTES);
	return 0;
}

/* ---- inference ---- */

static int infer(void)
{
	int x = io_open("x.bin", 0), y = io_open("y.bin", 1);
	uint32_t runs = 0;
	int whole = 1;

	if (x < 0 || y < 0) return failed("x.bin cannot be read or y.bin cannot be written");
	for (;; runs++) {
#define READ(values, size) whole = whole && io_read(x, values(), (size) * sizeof *values()) == (size) * sizeof *values();
		NET_EACH_INPUT(READ)
		if (!whole) break;
		io_count_start();
		net_run();
		count();
#define WRITE(values, size) whole = whole && io_write(y, values(), (size) * sizeof *values()) == (size) * sizeof *values();
		NET_EACH_OUTPUT(WRITE)
		if (!whole) return failed("y.bin cannot be written");
	}
	io_close(x);
	io_close(y);
	print_number("runs", runs);
	return print_costs();
}

/* ---- training ---- */

#if NET_TRAIN
#ifdef NET_LABEL_SIZE
#define TRUTH net_label()
#define TRUTH_SIZE NET_LABEL_SIZE
#define TRUTH_FILE "label.bin"
#else
#define TRUTH net_target()
#define TRUTH_SIZE NET_TARGET_SIZE
#define TRUTH_FILE "target.bin"
#endif

static int train(uint32_t steps)
{
	const size_t in = NET_INPUT_SIZE * sizeof *net_train_input(), truth = TRUTH_SIZE * sizeof *TRUTH;
	int x = io_open("x.bin", 0), t = io_open(TRUTH_FILE, 0), out;
	uint32_t i;

	if (x < 0 || t < 0) return failed("x.bin or " TRUTH_FILE " cannot be read");
	for (i = 0; i < steps; i++) {
		if (io_read(x, net_train_input(), in) != in || io_read(t, TRUTH, truth) != truth) return failed("x.bin or " TRUTH_FILE " is too short");
		io_count_start();
		net_train_step();
		count();
		if (net_loss() >= 0 && net_loss() < 4e6f) print_number("loss in thousandths", (uint32_t)(net_loss() * 1000 + 0.5f));
	}
	io_close(x);
	io_close(t);
	if ((out = io_open("parameters.bin", 1)) < 0 || io_write(out, net_parameters(), NET_PARAMETER_BYTES) != NET_PARAMETER_BYTES)
		return failed("parameters.bin cannot be written");
	io_close(out);
	print_number("steps", steps);
	return print_costs();
}

static uint32_t number(const char *s)
{
	uint32_t n = 0;

	for (; *s >= '0' && *s <= '9'; s++) n = 10 * n + (uint32_t)(*s - '0');
	return n;
}
#endif

int main(int argc, char **argv)
{
	net_init();
#if NET_TRAIN
	if (argc > 2 && argv[1][0] == 't') return train(number(argv[2]));
#endif
	(void)argv;
	return argc > 1 ? failed("usage: without an argument, or: train STEPS") : infer();
}
