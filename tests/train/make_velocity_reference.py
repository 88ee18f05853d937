# SPDX-License-Identifier: Apache-2.0
# Writes velocity_reference.h: how similar what each neuron of a small network puts out is in four states of its weights, and the velocities that follow, by
# PyTorch, as the paper on neurons at equilibrium says it and as the code of its authors computes it. And how much the loss rises with the step of each
# neuron: the gradient behind a step times what the step did (ElasticTrainer, importance of tensors, with the other sign).
import torch

MU, SAMPLES, STATES = 0.25, 5, 4


def number(i, salt):  # the same in test_neurons.c
    return ((i * 7919 + salt * 104729 + 31) % 1009) / 504.5 - 1


def numbers(salt, *shape):
    n = 1
    for d in shape:
        n *= d
    return torch.tensor([number(i, salt) for i in range(n)], dtype=torch.float64).reshape(shape)


x = numbers(1, SAMPLES, 6, 6, 1).permute(0, 3, 1, 2)


def outputs(state):
    s = 100 * state
    y = torch.nn.functional.conv2d(x, numbers(s + 10, 3, 3, 3, 1).permute(0, 3, 1, 2))
    gamma, beta, mean, var = 1 + numbers(s + 12, 3), numbers(s + 13, 3), numbers(s + 14, 3), 1.5 + numbers(s + 15, 3) / 2
    if state > 1:
        gamma[2] = beta[2] = 0  # a dead channel: in both states it puts out nothing, or in one
    y = torch.nn.functional.batch_norm(y, mean, var, gamma, beta, eps=1e-5)
    h = torch.relu(y).permute(0, 2, 3, 1).reshape(SAMPLES, -1)
    return [y.flatten(2), (h @ numbers(s + 16, 4, 48).T + numbers(s + 17, 4)).unsqueeze(2)]


def cosine(a, b):  # along the last axis
    na, nb = a.norm(dim=-1), b.norm(dim=-1)
    c = (a * b).sum(-1) / (na * nb).clamp(min=1e-30)
    none = (na < 1e-6) | (nb < 1e-6)
    return torch.where(none, ((na < 1e-6) & (nb < 1e-6)).to(c.dtype), c)


def similar(before, now, paper):
    phi = []
    for a, b in zip(before, now):
        if paper or a.shape[2] == 1:
            phi.append(cosine(a.permute(1, 0, 2).flatten(1), b.permute(1, 0, 2).flatten(1)))
        else:
            phi.append(cosine(a, b).mean(0))
    return torch.cat(phi)


def velocities(phi, paper):
    last, v, s, out = torch.ones_like(phi[0]), torch.zeros_like(phi[0]), torch.zeros_like(phi[0]), []
    for p in phi:
        d = p - last
        last = p
        if paper:
            v = d - MU * v
        else:
            v = s + d
            s = MU * v - d
        out.append(v)
    return out


def table(name, rows):
    print("static const float %s[%d][7] = {" % (name, len(rows)))
    for r in rows:
        print("\t{%s}," % ", ".join("%.7ff" % v for v in r.tolist()))
    print("};")


states = [outputs(s) for s in range(STATES)]
print("/* SPDX-License-Identifier: Apache-2.0\n * written by make_velocity_reference.py: 3 channels of a convolution, then 4 units */")
for paper in (False, True):
    phi = [similar(states[i], states[i + 1], paper) for i in range(STATES - 1)]
    word = "paper" if paper else "code"
    table("similar_" + word, phi)
    table("velocity_" + word, velocities(phi, paper))


# ---- a step ----

RATE, LABELS = 0.05, [0, 1, 1, 0, 1]


def loss_of(p):  # batch norm by the statistics of the batch, as in training
    y = torch.nn.functional.conv2d(x, p[0].permute(0, 3, 1, 2))
    y = torch.relu(torch.nn.functional.batch_norm(y, None, None, p[1], p[2], training=True, eps=1e-5))
    h = torch.relu(y.permute(0, 2, 3, 1).reshape(SAMPLES, -1) @ p[3].T + p[4])
    return torch.nn.functional.cross_entropy(h @ p[5].T + p[6], torch.tensor(LABELS))


def gradients(p):
    p = [v.clone().requires_grad_() for v in p]
    return torch.autograd.grad(loss_of(p), p)


def rises(move):
    p = [numbers(10, 3, 3, 3, 1), 1 + numbers(12, 3), numbers(13, 3), numbers(16, 4, 48), numbers(17, 4), numbers(18, 2, 4), torch.zeros(2, dtype=torch.float64)]
    moved = [move(g) for g in gradients(p)]
    r = [(g * d).flatten(1).sum(1) if g.dim() > 1 else g * d for g, d in zip(gradients([v + d for v, d in zip(p, moved)]), moved)]
    return torch.cat([r[0] + r[1] + r[2], r[3] + r[4]])


table("rises_sgd", [rises(lambda g: -RATE * g)])
table("rises_lion", [rises(lambda g: -RATE * g.sign())])  # its first move is that
