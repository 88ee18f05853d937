#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The codes in test_runs.c, by an encoder that was written from the description at the head of src/kernel/runs.h alone, with numbers of any length in place of carries.
#   tests/plan/make_runs_reference.py


class Coder:
    def __init__(self):
        self.low, self.range, self.shifts, self.estimates, self.rate = 0, 2**32 - 1, 0, {}, 2

    def refill(self):
        while self.range < 2**24:
            self.low, self.range, self.shifts = self.low << 8, self.range << 8, self.shifts + 1

    def bit(self, key, bit):
        e = self.estimates.get(key, 32768)
        bound = (self.range >> 16) * e
        if bit:
            self.range = bound
        else:
            self.low, self.range = self.low + bound, self.range - bound
        self.estimates[key] = e + ((65535 - e) >> self.rate) if bit else e - (e >> self.rate)
        self.refill()

    def plain(self, value, n):
        self.range >>= n
        self.low += self.range * value
        self.refill()

    def number(self, kind, n, first, last, depth):
        v = n + 2**first
        c = v.bit_length() - 1
        for i in range(first, last):
            self.bit((kind, i, 0), c > i)
            if c == i:
                break
        node = 1
        for i in range(min(c, depth)):
            bit = v >> (c - 1 - i) & 1
            self.bit((kind, c, node), bit)
            node = 2 * node + bit
        left = c - min(c, depth)
        while left > 0:
            some = min(left, 12)
            self.plain(v >> (left - some) & (2**some - 1), some)
            left -= some

    def bytes(self):
        for keep in (8, 16, 24, 32):  # the number of the interval that ends with most zeros
            mask = 2**(32 - keep) - 1
            v = (self.low + mask) & ~mask
            if v < self.low + self.range:
                return v.to_bytes(self.shifts + 4, "big").rstrip(b"\0")


def encode(numbers, gaps, sizes):
    c, zeros, seen, before = Coder(), 0, 0, 0
    for x in numbers:
        if not x:
            zeros += 1
            continue
        c.rate = 2 + sum(seen >= 4**k for k in range(1, 5))
        c.number("gap", zeros, *gaps, 1)
        c.bit(("sign", before if zeros == 0 else 0), x < 0)
        c.number("size", abs(x) - 1, *sizes, 7)
        before, zeros, seen = 1 + (x < 0), 0, seen + 1
    c.rate = 2 + sum(seen >= 4**k for k in range(1, 5))
    if zeros:
        c.number("gap", zeros, *gaps, 1)
    return c.bytes()


def some(n, most):
    return [(i * i * 7 + i * 3) % (2 * most + 1) - most if (i * i + i // 3) % 5 < 2 else 0 for i in range(n)]


def far(n):
    at = {3: -128, 4: 1, 9000: 127, 45000: -1}
    return [at.get(i, 0) for i in range(n)]


for name, numbers, gaps, sizes in (("few", some(400, 3), (0, 4), (0, 1)), ("many", some(300, 127), (1, 4), (4, 7)), ("far", far(60000), (3, 15), (0, 7))):
    code = encode(numbers, gaps, sizes)
    print(f"static const uint8_t {name}[] = {{ /* gaps {gaps}, sizes {sizes} */")
    for i in range(0, len(code), 24):
        print("\t" + " ".join(f"{b}," for b in code[i:i + 24]))
    print("};")
