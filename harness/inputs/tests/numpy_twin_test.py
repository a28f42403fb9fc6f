# SPDX-License-Identifier: Apache-2.0
"""Compares the bytes of fathom-inputs-dump with those of fathom_inputs.py.

    numpy_twin_test.py PATH/fathom-inputs-dump
"""
import itertools
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import numpy as np  # noqa: E402

import fathom_inputs as twin  # noqa: E402


def cases():
    """All fills, dtypes and layouts on grouped heads, unequal lengths, empty sequences."""
    axes = itertools.product(twin.FILLS, twin.STORAGE, ('bshd', 'bhsd', 'thd'))
    for i, (fill, dtype, layout) in enumerate(axes):
        seqs = '3*40x67' if layout != 'thd' else '30x131p9,0,0x5,2*3,1x0,70'
        mask = 'prefix_lm' if layout == 'thd' else 'full'
        yield (f'dir=fwd+bwd dtype={dtype} layout={layout} hq=6 hkv=2 d={33 + i % 4} '
               f'dv={7 + i % 3} seqs={seqs} mask={mask} dlse=true fill={fill} seed={i * 977}')
    yield ('dir=fwd dtype=bf16 layout=bshd hq=1 hkv=1 d=1 dv=1 seqs=1 mask=full fill=p_one '
           'seed=18446744073709551615')
    yield ('dir=fwd dtype=f16 layout=bhsd hq=4 hkv=4 d=64 dv=64 seqs=2*0x9 mask=full '
           'scale=-0.3 fill=const_p seed=5')


def difference(text, theirs):
    """Why the bytes of one case differ, and how many of them it took."""
    at = 0
    for name, array in twin.make_inputs(text).items():
        mine = array.reshape(-1)
        got = np.frombuffer(theirs, mine.dtype, min(mine.size, (len(theirs) - at) //
                                                    mine.itemsize), at)
        at += mine.nbytes
        if got.size != mine.size:
            return f'{name}: {got.size} elements, numpy has {mine.size}', at
        if got.tobytes() != mine.tobytes():
            bad = [i for i in range(mine.size) if got[i:i + 1].tobytes() != mine[i:i + 1].tobytes()]
            return f'{name}: element {bad[0]} is {got[bad[0]]!r}, numpy {mine[bad[0]]!r}, ' \
                   f'{len(bad)} of {mine.size} differ', at
    return '', at


def main(program):
    texts = list(cases())
    dump = subprocess.run([program], input='\n'.join(texts).encode(), capture_output=True)
    if dump.returncode != 0:
        sys.exit(dump.stderr.decode())
    at = failed = 0
    for text in texts:
        reason, size = difference(text, dump.stdout[at:])
        at += size
        if reason:
            failed += 1
            print(f'{text}\n    {reason}')
    if at != len(dump.stdout):
        failed += 1
        print(f'{len(dump.stdout)} bytes written, numpy has {at}')
    print(f'{len(texts)} cases, {at} bytes, {failed} differ')
    sys.exit(failed != 0)


if __name__ == '__main__':
    main(sys.argv[1])
