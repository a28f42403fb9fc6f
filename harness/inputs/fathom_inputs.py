# SPDX-License-Identifier: Apache-2.0
"""The inputs of fathom in numpy: the same bits as harness/inputs makes in C++.

    make_inputs('dir=fwd dtype=bf16 layout=thd hq=8 hkv=2 d=64 dv=64 seqs=37,5 mask=full '
                'fill=normal seed=1')

gives {'q': array, 'k': array, ...} in the shapes of the layout. bf16 is held as uint16, because
numpy has no such type; `to_float64` reads every dtype back.
"""
import re

import numpy as np

TENSORS = ('q', 'k', 'v', 'dout', 'dlse')  # The position is the stream number.
CHOICE_STREAM = 1024
STORAGE = {'f64': np.float64, 'f32': np.float32, 'f16': np.float16, 'bf16': np.uint16}
MASK32 = np.uint64(0xFFFFFFFF)
MASK64 = (1 << 64) - 1


# ---- counter-based words ---------------------------------------------------------------------

def _mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    return z ^ (z >> 31)


def stream_key(seed, stream):
    """64-bit key of one tensor's stream (splitmix64's finaliser, twice)."""
    golden = 0x9E3779B97F4A7C15
    return _mix((_mix((seed + golden) & MASK64) + golden * (stream + 1)) & MASK64)


def philox(key, counter):
    """Philox4x32-10: four arrays of 32-bit words (as uint64) for an array of counters."""
    counter = np.asarray(counter, np.uint64)
    x0, x1 = counter & MASK32, counter >> np.uint64(32)
    x2 = x3 = np.zeros_like(counter)
    for r in range(10):
        k0 = np.uint64((key + r * 0x9E3779B9) & 0xFFFFFFFF)
        k1 = np.uint64(((key >> 32) + r * 0xBB67AE85) & 0xFFFFFFFF)
        a, b = np.uint64(0xD2511F53) * x0, np.uint64(0xCD9E8D57) * x2
        x0, x1, x2, x3 = ((b >> np.uint64(32)) ^ x1 ^ k0, b & MASK32,
                          (a >> np.uint64(32)) ^ x3 ^ k1, a & MASK32)
    return x0, x1, x2, x3


def words(key, index):
    """Word `index` (an array) of a stream, as uint64."""
    index = np.asarray(index, np.uint64)
    block, inverse = np.unique(index >> np.uint64(2), return_inverse=True)
    table = np.stack(philox(key, block), axis=-1)
    return table[inverse.reshape(index.shape), index & np.uint64(3)]


# ---- numbers: IEEE + - * / only, in the order of normal.cpp ----------------------------------

def _polynomial(coefficients, x):
    value = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        value = value * x + c
    return value


def _minus_log(y):
    bits = y.view(np.uint64)
    k = 1023.0 - (bits >> np.uint64(52)).astype(np.float64)
    m = ((bits & np.uint64(0x000FFFFFFFFFFFFF)) | np.uint64(0x3FF0000000000000)).view(np.float64)
    s = (m - 1.4142135623730951) / (m + 1.4142135623730951)
    artanh = _polynomial([1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0], s * s)
    return (k - 0.5) * 0.6931471805599453 - 2.0 * s * artanh


def normal_of(word):
    """N(0,1) of 32-bit words (an array of uint64)."""
    two_p = (2 * (word & np.uint64(0x7FFFFFFF)) + np.uint64(1)).astype(np.float64) * 2.0**-32
    w = _minus_log(two_p * (2.0 - two_p))
    slope = _polynomial([2.9210684626312773e-05, 0.0010021028072526416, 0.011899490844230015,
                         0.089973406862282916, 0.45285507270483964, 1.2533142788781302], w)
    slope = slope / _polynomial([1.0038569495153137e-06, 0.00016972033920940365,
                                 0.0022902316490331671, 0.03268856930562222,
                                 0.099529510637596411, 1.0], w)
    x = (1.0 - two_p) * slope
    return np.where(word >> np.uint64(31) == 1, -x, x)


def uniform_of(word):
    """U(0,1) of 32-bit words."""
    return (2 * word + np.uint64(1)).astype(np.float64) * 2.0**-33


# ---- the case text ---------------------------------------------------------------------------

def parse_case(text):
    """Key -> value of a case text, lengths and prefixes spelled out in 'seqs'."""
    case = {'scale': 'default', 'dlse': 'false', 'fill': 'normal', 'seed': '1'}
    case.update(field.split('=', 1) for field in text.split())
    for key in ('hq', 'hkv', 'd', 'dv', 'seed'):
        case[key] = int(case[key])
    sequences = []
    for part in case['seqs'].split(','):
        match = re.fullmatch(r'(?:(\d+)\*)?(\d+)(?:x(\d+))?(?:p\d+)?', part)
        if not match:
            raise ValueError(f'seqs={part}')
        count, queries, keys = match.groups()
        sequences += [(int(queries), int(keys or queries))] * int(count or 1)
    case['seqs'] = sequences
    d = float(case['d'])
    case['scale'] = 1.0 / np.sqrt(d) if case['scale'] == 'default' else float(case['scale'])
    return case


# ---- fills: arrays of shape (tokens, heads, channels) ----------------------------------------

class _Draw:
    """The streams of one case, addressed in packed (token, head, channel) order."""

    def __init__(self, case):
        self.case, self.seed = case, case['seed']

    def lengths(self, tensor):
        side = 1 if tensor in 'kv' else 0
        return [s[side] for s in self.case['seqs']]

    def shape(self, tensor):
        heads = self.case['hkv' if tensor in 'kv' else 'hq']
        channels = {'v': self.case['dv'], 'dout': self.case['dv'], 'dlse': 1}.get(
            tensor, self.case['d'])
        return sum(self.lengths(tensor)), heads, channels

    def _words(self, tensor):
        shape = self.shape(tensor)
        key = stream_key(self.seed, TENSORS.index(tensor))
        return words(key, np.arange(np.prod(shape), dtype=np.uint64)).reshape(shape)

    def normal(self, tensor):
        return normal_of(self._words(tensor))

    def uniform(self, tensor):
        return uniform_of(self._words(tensor))

    def choices(self, tensor):
        tokens, heads, _ = self.shape(tensor)
        index = np.arange(tokens * heads, dtype=np.uint64)
        return words(stream_key(self.seed, CHOICE_STREAM), index).reshape(tokens, heads)

    def sequences(self, tensor):
        """(first, end) token of every sequence."""
        ends = np.cumsum(self.lengths(tensor), dtype=int)
        return list(zip(ends - self.lengths(tensor), ends))


def _outlier(factor):
    def fill(draw, tensor):
        x = draw.normal(tensor)
        x[..., ::32] *= factor
        return x
    return fill


def _dupkeys(draw, tensor):
    x, choice = draw.normal(tensor), draw.choices(tensor)
    result = np.empty_like(x)
    for first, end in draw.sequences(tensor):
        originals = np.uint64(max(1, (end - first) // 64))
        row = first + ((choice[first:end] * originals) >> np.uint64(32)).astype(int)
        result[first:end] = x[row, np.arange(x.shape[1])]
    return result


def _sink_key(draw, tensor):
    x, q = draw.normal(tensor), draw.normal('q')
    group = q.shape[1] // x.shape[1]
    for (first, end), (q_first, q_end) in zip(draw.sequences(tensor), draw.sequences('q')):
        if first == end or q_first == q_end:
            continue
        for head in range(x.shape[1]):
            rows = q[q_first:q_end, head * group:(head + 1) * group]
            rows = rows.transpose(1, 0, 2).reshape(-1, x.shape[2])
            total = np.zeros(x.shape[2])
            for row in rows:  # In order: np.sum would group the terms in its own way.
                total = total + row
            count = float(len(rows))
            x[first, head] = 3.0 * np.sqrt(count) * (total / count)
    return x


def _sink_value(draw, tensor):
    x = draw.normal(tensor)
    for first, end in draw.sequences(tensor):
        if first != end:
            x[first] *= 0.01
    return x


def _grid(draw, tensor):
    return np.clip(np.floor(draw.normal(tensor) * 8.0 + 0.5) / 8.0, -3.875, 3.875)


def _level_query(draw, tensor):
    x = _grid(draw, tensor)
    x[..., 0] = 1.0
    x[..., 2::2] = x[..., 1:-1:2]
    return x


def _level_key(draw, tensor, level):
    x = _grid(draw, tensor)
    scale = draw.case['scale']
    x[..., 0] = level / scale if scale != 0 else 0.0
    x[..., 2::2] = -x[..., 1:-1:2]
    if x.shape[-1] % 2 == 0:
        x[..., -1] = 0.0
    return x


def _const_p_key(draw, tensor):
    level = np.zeros(draw.shape(tensor)[:2])
    for first, end in draw.sequences(tensor):
        if first != end:
            level[first] = 0.37
    return _level_key(draw, tensor, level)


def _p_one_key(draw, tensor):
    return _level_key(draw, tensor, np.where(draw.choices(tensor) < 1 << 30, 4.0, 0.0))


def _normal(draw, tensor):
    return draw.normal(tensor)


def _uniform(draw, tensor):
    return draw.uniform(tensor)


def _uniform11(draw, tensor):
    return 2.0 * draw.uniform(tensor) - 1.0


FILLS = {  # q, k, v
    'normal': (_normal, _normal, _normal),
    'peaked': (lambda d, t: d.normal(t) * 4.0, _normal, _normal),
    'flat': (lambda d, t: d.normal(t) * 0.05, _normal, _normal),
    'uniform01': (_uniform, _uniform, _uniform),
    'uniform11': (_uniform11, _uniform11, _uniform11),
    'outlier': (_outlier(6.0), _outlier(6.0), _outlier(20.0)),
    'vmean': (_normal, _normal, lambda d, t: d.normal(t) + 3.0),
    'dupkeys': (_normal, _dupkeys, _normal),
    'tiny': (_normal, _normal, lambda d, t: d.normal(t) * 1e-4),
    'sink_token': (_normal, _sink_key, _sink_value),
    'q_zero': (lambda d, t: np.zeros(d.shape(t)), _normal, _normal),
    'const_p': (_level_query, _const_p_key, lambda d, t: np.abs(d.normal(t))),
    'p_one': (_level_query, _p_one_key, lambda d, t: -np.abs(d.normal(t)) - 1.0),
}


# ---- storage ---------------------------------------------------------------------------------

def to_storage(dtype, values):
    """float64 rounded to nearest even in the dtype; bf16 as uint16."""
    if dtype != 'bf16':
        return values.astype(STORAGE[dtype])
    # Round the double itself: by way of float32 it would be rounded twice.
    bits = values.view(np.uint64)
    odd = (bits >> np.uint64(45)) & np.uint64(1)
    rounded = (bits + np.uint64((1 << 44) - 1) + odd) & ~np.uint64((1 << 45) - 1)
    exact = rounded.view(np.float64)
    assert np.all((np.abs(exact) >= 2.0**-126) | (exact == 0)), 'bf16 subnormal'
    return (exact.astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16)


def to_float64(dtype, stored):
    """Stored numbers as float64, exactly."""
    if dtype == 'bf16':
        stored = (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return stored.astype(np.float64)


def _in_layout(case, tensor, x):
    if tensor == 'dlse':
        x = x[..., 0]
    if case['layout'] == 'thd':
        return x.T if tensor == 'dlse' else x
    x = x.reshape(len(case['seqs']), -1, *x.shape[1:]) if x.size else x.reshape(
        len(case['seqs']), 0, *x.shape[1:])
    return x.swapaxes(1, 2) if tensor == 'dlse' or case['layout'] == 'bhsd' else x


def make_inputs(text):
    """Name -> array in storage, contiguous in the layout's order, of a case text."""
    case = parse_case(text)
    draw = _Draw(case)
    makers = dict(zip('qkv', FILLS[case['fill']]))
    if case['dir'] == 'fwd+bwd':
        makers['dout'] = _normal
    if case['dlse'] in ('true', '1'):
        makers['dlse'] = _normal
    inputs = {}
    for tensor, make in makers.items():
        dtype = case['dtype']
        if tensor == 'dlse' and dtype != 'f64':
            dtype = 'f32'
        stored = to_storage(dtype, np.ascontiguousarray(make(draw, tensor)))
        inputs[tensor] = np.ascontiguousarray(_in_layout(case, tensor, stored))
    return inputs
