/* SPDX-License-Identifier: Apache-2.0
 *
 * main - runs the network on files, so that it can be compared with the machine it was trained on.
 *
 *   (no argument)   every input of x.bin -> y.bin, raw values one after the other
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

static void print_known(const char *what, uint32_t n)
{
	if (n) print_number(what, n);
}

static int failed(const char *what)
{
	io_print(what);
	io_print("\n");
	return 1;
}

static int infer(void)
{
	const size_t in = NET_INPUT_SIZE * sizeof *net_input(), out = NET_OUTPUT_SIZE * sizeof *net_output();
	int x = io_open("x.bin", 0), y = io_open("y.bin", 1);
	uint32_t runs = 0, instructions = 0, stack = 0;

	if (x < 0 || y < 0) return failed("x.bin cannot be read or y.bin cannot be written");
	for (; io_read(x, net_input(), in) == in; runs++) {
		io_count_start();
		net_run();
		instructions = io_count_instructions();
		stack = io_count_stack();
		if (io_write(y, net_output(), out) != out) return failed("y.bin cannot be written");
	}
	io_close(x);
	io_close(y);
	print_number("runs", runs);
	print_known("instructions", instructions);
	print_known("stack", stack);
	return 0;
}

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
	uint32_t i, instructions = 0, stack = 0;

	if (x < 0 || t < 0) return failed("x.bin or " TRUTH_FILE " cannot be read");
	for (i = 0; i < steps; i++) {
		if (io_read(x, net_train_input(), in) != in || io_read(t, TRUTH, truth) != truth) return failed("x.bin or " TRUTH_FILE " is too short");
		io_count_start();
		net_train_step();
		instructions = io_count_instructions();
		stack = io_count_stack();
		if (net_loss() >= 0 && net_loss() < 4e6f) print_number("loss in thousandths", (uint32_t)(net_loss() * 1000 + 0.5f));
	}
	io_close(x);
	io_close(t);
	if ((out = io_open("parameters.bin", 1)) < 0 || io_write(out, net_parameters(), NET_PARAMETER_BYTES) != NET_PARAMETER_BYTES)
		return failed("parameters.bin cannot be written");
	io_close(out);
	print_number("steps", steps);
	print_known("instructions", instructions);
	print_known("stack", stack);
	return 0;
}
#endif

#if NET_TRAIN
static uint32_t number(const char *s)
{
	uint32_t n = 0;

	for (; *s >= '0' && *s <= '9'; s++) n = 10 * n + (uint32_t)(*s - '0');
	return n;
}
#endif

int main(int argc, char **argv)
{
	int rc;

	net_init();
#if NET_TRAIN
	if (argc > 2 && argv[1][0] == 't') rc = train(number(argv[2]));
	else
#endif
	if (argc > 1) rc = failed("usage: without an argument, or: train STEPS");
	else rc = infer();
	(void)argv;
	print_known("flash", io_flash_bytes());
	print_known("data+bss", io_static_bytes());
	return rc;
}
