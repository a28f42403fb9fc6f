#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""torch.ops.fathom_hip against a dense evaluation in float64, as an operator and under torch.compile.

    backends/hip/tests/torch_operator_test.py build/release/lib/libfathom_hip_torch.so

Exit status 77 without torch.
"""

import functools
import sys
import unittest

try:
    import torch
except ImportError:
    print("torch is not installed: nothing was tested.")
    sys.exit(77)

# Relative rounding: u of an operand or result of 16 bits, and far above what sums in float32 add.
ROUNDING = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}
SLACK = 2.0**-17


def operator():
    return torch.ops.fathom_hip.prefix_lm_fwd


def starts(lengths):
    return torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)


class Question:
    """Packed sequences with random tensors; `queries`, `keys` and `prefixes` are lists of lengths."""

    def __init__(self, queries, keys=None, prefixes=None, dtype=torch.bfloat16, heads=(4, 2), dim=64, **options):
        torch.manual_seed(7)
        self.queries, self.keys, self.prefixes, self.options = queries, keys or queries, prefixes, options
        self.scale = options.get("softmax_scale", dim**-0.5)
        make = lambda tokens, heads: torch.randn(tokens, heads, dim, dtype=torch.float32).to(dtype)
        self.q, self.dout = make(sum(queries), heads[0]), make(sum(queries), heads[0])
        self.k, self.v = make(sum(self.keys), heads[1]), make(sum(self.keys), heads[1])
        self.dlse = torch.randn(heads[0], sum(queries))
        self.lengths = [starts(queries), starts(self.keys), max(queries), max(self.keys)]
        self.prefix_lens = None if prefixes is None else torch.tensor(prefixes, dtype=torch.int32)

    def answer(self, call, uses_lse=True):
        """o, lse and the gradients of a loss that uses both, by one way of calling the operator."""
        leaves = [x.clone().requires_grad_() for x in (self.q, self.k, self.v)]
        o, lse = call(*leaves, *self.lengths, self.prefix_lens, **self.options)
        loss = (o.float() * self.dout.float()).sum()
        if uses_lse:
            loss = loss + torch.where(lse.isfinite(), lse * self.dlse, 0).sum()
        loss.backward()
        return dict(zip(("o", "lse", "dq", "dk", "dv"), (o.detach(), lse.detach(), *(x.grad for x in leaves))))

    def visible(self, number):
        n_q, n_k = self.queries[number], self.keys[number]
        own = torch.arange(n_q)[:, None] + n_k - n_q
        key = torch.arange(n_k)[None, :]
        seen = torch.ones(n_q, n_k, dtype=torch.bool)
        if self.prefixes is not None:
            seen &= (key <= own) | (key < self.prefixes[number])
        if self.options.get("causal"):
            seen &= key <= own
        left, right = self.options.get("window_size_left", -1), self.options.get("window_size_right", -1)
        seen &= (own - key <= left) if left >= 0 else True
        return seen & ((key - own <= right) if right >= 0 else True)

    def right(self):
        """The same in float64, and how far rounding may lead from it."""
        found, begin_q, begin_k = [], 0, 0
        for number, (n_q, n_k) in enumerate(zip(self.queries, self.keys)):
            rows, columns = slice(begin_q, begin_q + n_q), slice(begin_k, begin_k + n_k)
            take = lambda x, part: x[part].double().transpose(0, 1)
            found.append(dense(take(self.q, rows), take(self.k, columns), take(self.v, columns), take(self.dout, rows),
                               self.dlse[:, rows].double(), self.visible(number), self.scale, ROUNDING[self.q.dtype]))
            begin_q, begin_k = begin_q + n_q, begin_k + n_k
        return {name: tuple(torch.cat([one[name][i] for one in found], dim=1) for i in (0, 1)) for name in found[0]}


def dense(q, k, v, dout, dlse, seen, scale, u):
    """One sequence in float64, (heads, tokens, channels): {name: (number, bound)}. Gradients are autograd's. The bounds:
    u for P and dS, which are operands of 16 bits, and u for a result; delta is summed from the rounded O."""
    leaves = [x.requires_grad_() for x in (q, k, v)]
    group = q.shape[0] // k.shape[0]
    wide = lambda x: x.repeat_interleave(group, 0)
    scores = (q @ wide(k).mT * scale).masked_fill(~seen, float("-inf"))
    empty = ~seen.any(1)
    p = torch.where(empty[:, None], 0.0, scores.masked_fill(empty[:, None], 0.0).softmax(-1))
    o = p @ wide(v)
    lse = scores.masked_fill(empty[:, None], 0.0).logsumexp(-1)
    loss = (o * dout).sum() + torch.where(empty, 0.0, lse * dlse).sum()
    dq, dk, dv = torch.autograd.grad(loss, leaves)
    with torch.no_grad():
        narrow = lambda x: x.unflatten(0, (-1, group)).sum(1)
        o_bound = (u + SLACK) * (p @ wide(v).abs()) + u * o.abs()
        ds = p * (dout @ wide(v).mT - (o * dout).sum(-1, keepdim=True) + dlse[..., None])
        ds_bound = (u + SLACK) * ds.abs() + p * ((o_bound * dout.abs()).sum(-1, keepdim=True) + SLACK * q.shape[-1])
        bounds = {"o": o_bound, "lse": SLACK * (1 + lse.abs()),
                  "dq": scale * ds_bound @ wide(k).abs() + u * dq.abs(),
                  "dk": narrow(scale * ds_bound.mT @ q.abs()) + u * dk.abs(),
                  "dv": narrow((u + SLACK) * p.mT @ dout.abs()) + u * dv.abs()}
        lse = lse.masked_fill(empty, float("-inf"))
        return {name: (number.detach(), bounds[name]) for name, number in
                (("o", o), ("lse", lse), ("dq", dq), ("dk", dk), ("dv", dv))}


def disagreements(question, answer):
    """Names of outputs with a number further from the dense evaluation than rounding leads."""
    found = []
    for name, (right, bound) in question.right().items():
        seen = answer[name].double() if name == "lse" else answer[name].double().transpose(0, 1)
        if not ((seen == right) | ((seen - right).abs() <= 1.01 * bound + 1e-7)).all():
            found.append(name)
    return found


QUESTIONS = {
    "prefix, groups, an empty sequence": Question([70, 0, 33, 5], prefixes=[31, 0, 33, 0]),
    "causal, more keys": Question([20, 65], [60, 70], dtype=torch.float16, heads=(2, 1), dim=96, causal=True),
    "prefix and window, fewer keys": Question([40, 64], [30, 64], [10, 40], dim=128, heads=(1, 1), window_size_left=20),
    "a window and a scale": Question([50], dtype=torch.float16, dim=256, heads=(2, 2), window_size_left=9,
                                     window_size_right=4, softmax_scale=0.5),
}  # fmt: skip


class OperatorTest(unittest.TestCase):
    def test_agrees_with_float64_to_within_rounding(self):
        for name, question in QUESTIONS.items():
            self.assertEqual(disagreements(question, question.answer(operator())), [], name)

    def test_the_comparison_sees_what_is_passed_on_wrongly(self):
        question = QUESTIONS["prefix, groups, an empty sequence"]

        def one_key_more(q, k, v, *lengths, **options):
            return operator()(q, k, v, *lengths[:4], (lengths[4] + 1).clamp(max=starts([]).new_tensor(question.keys)))

        self.assertEqual(disagreements(question, question.answer(one_key_more)), ["o", "lse", "dq", "dk", "dv"])
        self.assertEqual(disagreements(question, question.answer(operator(), uses_lse=False)), ["dq", "dk"])

    def test_is_an_operator_as_torch_wants_it(self):
        q = Question([20, 9], prefixes=[7, 9], heads=(2, 1))
        args = [x.requires_grad_() for x in (q.q, q.k, q.v)] + [*q.lengths, q.prefix_lens]
        torch.library.opcheck(torch.ops.fathom_hip.prefix_lm_fwd.default, args)
        o, lse = operator()(*[x.detach() for x in args[:3]], *args[3:])
        args = [q.dout, q.dlse, *(x.detach() for x in args[:3]), o, lse, *args[3:]]
        torch.library.opcheck(torch.ops.fathom_hip.prefix_lm_bwd.default, args)

    def test_compiles_whole_with_the_bits_of_eager(self):
        compiled = torch.compile(operator(), fullgraph=True, backend="aot_eager", dynamic=True)
        for question in (Question([20, 9], prefixes=[7, 9]), Question([33, 8, 3], prefixes=[0, 8, 2])):
            eager = question.answer(operator())
            for name, tensor in question.answer(compiled).items():
                self.assertTrue(torch.equal(tensor, eager[name]), name)

    def test_takes_views_and_leaves_rows_behind_the_last_sequence_zero(self):
        q = Question([20], prefixes=[7], heads=(2, 2))
        plain = q.answer(operator())
        wide = torch.zeros(30, 3, 2, 65, dtype=torch.bfloat16)  # Odd strides, and ten rows too many.
        wide[:20, :, :, :64] = torch.stack([q.q, q.k, q.v], 1)
        q.q, q.k, q.v = (wide[:, i, :, :64] for i in range(3))
        q.dout = torch.nn.functional.pad(q.dout, (0, 0, 0, 0, 0, 10))
        q.dlse = torch.nn.functional.pad(q.dlse, (0, 10))
        for name, tensor in q.answer(operator()).items():
            tensor = tensor.T if name == "lse" else tensor
            self.assertTrue(torch.equal(tensor[:20], plain[name].T if name == "lse" else plain[name]), name)
            self.assertEqual(tensor[20:].abs().sum(), 0, name)

    def test_refuses_in_a_sentence(self):
        q = Question([20, 9], prefixes=[7, 9])
        cu_q, cu_k, most_q, most_k = q.lengths
        call = functools.partial(operator(), q.q, q.k, q.v)
        for words, refused in {
            "q is Float; it must be bfloat16": lambda: operator()(q.q.float(), q.k.float(), q.v.float(), *q.lengths),
            "head dim 32": lambda: operator()(q.q[..., :32], q.k[..., :32], q.v[..., :32], *q.lengths),
            "3 query heads cannot share 2": lambda: operator()(q.q[:, :3], q.k, q.v, *q.lengths),
            "k is Half and q is BFloat16": lambda: operator()(q.q, q.k.half(), q.v, *q.lengths),
            "v has shape": lambda: operator()(q.q, q.k, q.v[:5], *q.lengths),
            "cu_seqlens_q must be contiguous int32": lambda: call(cu_q.long(), cu_k, most_q, most_k),
            "cu_seqlens_k has 2 entries; 3 are due": lambda: call(cu_q, cu_k[:2], most_q, most_k),
            "cu_seqlens_q ends with 40, but there are 29": lambda: call(cu_q + 11, cu_k, most_q, most_k),
            "max_seqlen_q is 19, but sequence 0 has 20": lambda: call(cu_q, cu_k, 19, most_k),
            "prefix_lens of sequence 1 is 10": lambda: call(*q.lengths, q.prefix_lens + 1),
            "the scale must be above 0": lambda: call(*q.lengths, softmax_scale=-1.0),
            "a window side of -3": lambda: call(*q.lengths, window_size_left=-3),
        }.items():
            with self.assertRaisesRegex(RuntimeError, "prefix_lm: .*" + words):
                refused()

    def test_has_no_second_derivative_and_says_so(self):
        q = Question([9], prefixes=[3], heads=(1, 1))
        x = q.q.clone().requires_grad_()
        (dq,) = torch.autograd.grad(operator()(x, q.k, q.v, *q.lengths)[0].float().pow(2).sum(), x, create_graph=True)
        with self.assertRaisesRegex(RuntimeError, "prefix_lm_bwd is not implemented"):
            dq.float().sum().backward()


if __name__ == "__main__":
    torch.ops.load_library(sys.argv.pop(1))
    unittest.main(verbosity=2)
